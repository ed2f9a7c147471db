"""When tasks are asked for: when they are likely to be finished, then in short growing steps, within their provider's advice.

How long tasks take is learned per account and model, and kept with the account; until then the steps grow from the provider's
first one. Where an API tells how far a task is, it is asked for again when it says it will be done.
"""

from dataclasses import dataclass
from random import Random

from orchestrator.engine.desk import Desk
from orchestrator.jobs.latency import Latency, announced_end
from orchestrator.jobs.retry import poll_interval
from orchestrator.providers.base import TaskProvider
from orchestrator.store.records import Job

RESUMED_PER_SECOND = 30.0
"""Tasks of an earlier run that are asked for in a second: what was left running must not be asked for all at once."""
LEAST = 1.0
"""Seconds between two polls of a task at least."""
_BELIEVED = range(5, 100)
"""Percent that are believed: 1 % says too little to reckon with."""
_JITTER = 0.02
_RECENT = 0.1
"""Share of the latest task in averages over tasks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What a poll showed of a task that is still running."""

    before: float
    """Age (seconds) at which it was known to be running before."""
    age: float
    """Age at which it was now seen running."""
    polls: int
    """How often it was seen running before this."""
    progress: int | None
    """Percent, where the API tells."""
    was_announced: bool
    """Whether it should have been finished by now, going by an earlier progress."""


class Timetable:
    """For all accounts of a run."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._reporting: set[tuple[str, str]] = set()

    def first(self, job: Job, desk: Desk, provider: TaskProvider) -> float:
        """Return the seconds after which a task that was just accepted is worth asking for."""
        look = self._latency(job, desk).next_look(0.0, reports=self._reports(job))
        return self._jittered(look) if look is not None else provider.first_poll * self._random.uniform(1.0, 1.15)

    def resumed(self, desk: Desk) -> float:
        """Return the seconds after which a task of an earlier run is asked for."""
        return len(desk.outstanding) / RESUMED_PER_SECOND + self._random.uniform(0.0, 1.0)

    def next(self, job: Job, desk: Desk, provider: TaskProvider, sight: Sight) -> tuple[float, bool]:
        """Return the seconds until a running task is worth asking for again, and whether it announced to be finished then."""
        latency = self._latency(job, desk)
        latency.still_running(sight.before, sight.age)
        desk.has_seen_tasks = True
        if sight.progress is not None and sight.progress in _BELIEVED:
            self._reporting.add((job.account, job.spec.model))
            if not sight.was_announced:
                return max(LEAST, announced_end(sight.age, sight.progress) - sight.age), True
        look = latency.next_look(sight.age, reports=self._reports(job))
        if look is None:
            first, longest = provider.first_poll, max(provider.longest_poll, sight.age / 4)
            return poll_interval(sight.polls, first=first, longest=longest, random=self._random), sight.was_announced
        return self._jittered(max(look - sight.age, LEAST)), sight.was_announced

    def ended(self, job: Job, desk: Desk, *, before: float, age: float, took: float | None) -> None:
        """Learn from a task that was running at the age `before` and was finished at `age`; `took` is what its provider says."""
        desk.has_seen_tasks = True
        is_exact = took is not None and before <= took <= age
        end = took if is_exact and took is not None else age
        self._latency(job, desk).finished(before, end, exact=is_exact)
        desk.lag += _RECENT * ((age - end if is_exact else (age - before) / 2) - desk.lag)

    def _reports(self, job: Job) -> bool:
        return (job.account, job.spec.model) in self._reporting

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(1.0, 1.0 + _JITTER)

    def _latency(self, job: Job, desk: Desk) -> Latency:
        known = desk.lessons.latencies
        if job.spec.model not in known:
            known[job.spec.model] = Latency()
        return known[job.spec.model]

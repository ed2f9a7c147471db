"""One account at work: its settings, its limits, whether it is paused, and how many of its tasks are out."""

from dataclasses import dataclass, field
from random import Random

from orchestrator.engine.limiter import Limiter
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.lessons import Lessons
from orchestrator.jobs.meter import Meter
from orchestrator.jobs.retry import LONGEST_ADVICE
from orchestrator.jobs.spacing import Spacing
from orchestrator.store.accounts import AccountRow


@dataclass(slots=True, kw_only=True)
class Desk:
    """What the services share about an account. It changes as the account is learned to know."""

    settings: AccountSettings
    limiter: Limiter
    has_tasks: bool
    """Whether its provider answers with tasks to ask for."""
    contacted: bool
    """Whether the account has ever accepted an attempt; before that, a 404 means a wrong address."""
    paused: Failure | None = None
    outstanding: set[int] = field(default_factory=set)
    """Jobs whose tasks are accepted and not finished."""
    polls: Spacing
    """The pace of polls."""
    poll_gate: float = 0.0
    """Monotonic seconds before which no poll is sent: the account was told to slow down."""
    handed: set[int] = field(default_factory=set)
    """Jobs that are somewhere between claim and the end of their submission."""
    lessons: Lessons = field(default_factory=Lessons)
    """What an earlier run has learned, and this one of its tasks."""
    lag: float = 0.0
    """Seconds from the end of a task until it is known, of late."""
    has_seen_tasks: bool = False
    """Whether something was learned of tasks since it was kept last."""

    @property
    def name(self) -> str:
        """The account's name."""
        return self.settings.name

    @property
    def longest_submission(self) -> float:
        """Seconds after which no answer to a paid request is waited for."""
        timeouts = self.settings.timeouts
        return timeouts.submit_task if self.has_tasks else timeouts.submit_synchronous

    @property
    def has_room(self) -> bool:
        """Whether one more task would be within the limit of those that are out or being started."""
        if not self.has_tasks and not self.outstanding:  # a relay may answer with tasks where its documents promise images
            return True
        return len(self.outstanding) + self.limiter.in_flight < self.settings.outstanding


def desk_of(row: AccountRow, clock: Clock, random: Random, *, has_tasks: bool) -> Desk:
    """Return the desk of a stored account; one that was paused goes on with one request first, once it may."""
    settings, learned = row.settings, Lessons.of(row.learned)
    requests, images = Meter(settings.rpm, learned.requests), Meter(settings.ipm, learned.images)
    limiter = Limiter(settings.concurrency, clock, random, requests=requests, images=images)
    limiter.answer = learned.answer
    if row.paused_at is not None:
        limiter.probe()
    elif row.gate_until is not None:
        left = row.gate_until - clock.now()
        if not too_long(left / 2):  # a gate that is closed for days was closed under a clock that was ahead
            limiter.resume(left, row.gate_streak)
    contacted = row.accepted_at is not None
    return Desk(
        settings=settings,
        limiter=limiter,
        has_tasks=has_tasks,
        contacted=contacted,
        lessons=learned,
        polls=Spacing(settings.poll_rpm),
    )


def too_long(retry_after: float | None) -> bool:
    """Say whether a provider asks to wait so long that the user should know."""
    return retry_after is not None and retry_after > LONGEST_ADVICE

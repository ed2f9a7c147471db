"""Asks for tasks until they end, each when it is likely to have ended; a failed poll is never a failed job."""

import asyncio
import heapq
import itertools
from dataclasses import replace

from orchestrator.engine.asking import ask_for_task
from orchestrator.engine.call_trust import CallTrust
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.pulse import wait
from orchestrator.engine.task_endings import TaskEndings
from orchestrator.engine.timetable import Sight, Timetable
from orchestrator.engine.tools import Tools
from orchestrator.engine.watch import Watch
from orchestrator.jobs.failures import Action, ErrorCode, Failure, Signal, row_of
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.limits import queries_per_minute
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.retry import advised_wait, wait_after
from orchestrator.providers.base import TaskProvider
from orchestrator.store.door import Stale
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Unanswered, Unreadable, Unsent

MISSING_FOR = 900.0
"""Seconds a task may be unknown to its provider before it is held: replicas lag, and it is paid for."""
SLOW = 60.0
"""Seconds between polls of a task that cannot be seen."""

_HALF = 0.5
"""Seconds that whole seconds of a provider fall short of its clock on average."""

_SILENCING = frozenset({ErrorCode.BAD_KEY, ErrorCode.NO_ACCESS, ErrorCode.BAD_CERTIFICATE})


class Poller:
    """The service for all accounts' tasks."""

    def __init__(self, tools: Tools, inbox: Inbox) -> None:
        self._tools, self._inbox = tools, inbox
        self._due: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()
        self._followed: dict[int, Watch] = {}
        self._asking: set[int] = set()
        self._called: set[int] = set()
        self._admitted: set[int] = set()
        self._timetable = Timetable(tools.random)
        self._endings = TaskEndings(tools)
        self._trust = CallTrust()
        self._providers: dict[str, TaskProvider] = {}
        self._free = asyncio.Semaphore(tools.at_once)
        self._woken = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Say whether no task is out, but for those whose account cannot be asked any more."""
        return not self._asking and all(self._silenced(watch.job) for watch in self._followed.values())

    def follow(self, job: Job, *, delay: float | None = None) -> None:
        """Begin to ask for a task; first after `delay` seconds, else when its provider thinks it is worth it."""
        provider = self._provider(job)
        desk = self._tools.desk(job)
        desk.outstanding.add(job.id)
        timed = delay is None and job.known_at is None
        if delay is not None:
            delay = self._timetable.resumed(desk)
        else:
            delay = self._timetable.first(job, desk, provider) * self._stretch(job, provider) if timed else 0.0
        self._schedule(Watch(job=job, unfinished_at=job.answered_at or self._tools.clock.now(), timed=timed), delay)

    def hurry(self, job: Job) -> None:
        """Ask for a task now: its provider has called to say that it ended."""
        self._called.add(job.id)
        if job.id in self._followed:
            self._schedule(replace(self._followed[job.id]), 0.0)

    def callbacks_arrive(self, account: str) -> None:
        """Ask less often: the account's provider calls."""
        self._trust.arrived(account)

    def _stretch(self, job: Job, provider: TaskProvider) -> float:
        is_called = self._tools.callback_paths.are_given(provider, self._tools.desk(job).settings)
        return self._trust.stretch(job.account) if is_called else 1.0

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Ask until cancelled; each question is a task of `group`."""
        while True:
            now = self._tools.clock.monotonic()
            if self._due and self._due[0][0] <= now:
                _, _, watch = heapq.heappop(self._due)
                if self._followed.get(watch.job.id) is not watch:
                    continue  # it was hurried, and stands in line a second time
                if self._must_wait(watch, now):
                    continue
                del self._followed[watch.job.id]
                self._asking.add(watch.job.id)
                await self._free.acquire()
                group.create_task(self._ask(watch), name=f"poll {watch.job.key}")
                continue
            self._woken.clear()
            await wait(self._woken, self._tools.clock, self._due[0][0] - now if self._due else None)

    def _must_wait(self, watch: Watch, now: float) -> bool:
        """Put a task that is due back in line until it may be asked for in its account's pace; say whether that is later."""
        if watch.job.id in self._admitted:
            self._admitted.discard(watch.job.id)
            return False
        at = self._tools.desk(watch.job).polls.moment(now)
        if at > now:
            self._admitted.add(watch.job.id)
            heapq.heappush(self._due, (at, next(self._order), watch))
        return at > now

    def _silenced(self, job: Job) -> bool:
        paused = self._tools.desk(job).paused
        return paused is not None and paused.code in _SILENCING

    def _schedule(self, watch: Watch, delay: float) -> None:
        if watch.job.id in self._called:
            self._called.discard(watch.job.id)
            watch, delay = replace(watch, called=True), 0.0
        self._followed[watch.job.id] = watch
        due = max(self._tools.clock.monotonic() + delay, self._tools.desk(watch.job).poll_gate)
        heapq.heappush(self._due, (due, next(self._order), watch))
        self._woken.set()

    async def _ask(self, watch: Watch) -> None:
        try:
            await self._look(watch)
        except Stale:
            self._tools.desk(watch.job).outstanding.discard(watch.job.id)
            self._tools.news.tell("old_news", watch.job, status="polled")
        finally:
            self._asking.discard(watch.job.id)
            self._free.release()
            self._tools.pulse.beat()

    async def _look(self, watch: Watch) -> None:
        job, desk = watch.job, self._tools.desk(watch.job)
        provider = self._provider(job)
        asked_at = self._tools.clock.now()
        request = provider.status_request(str(job.remote_id), desk.settings)
        try:
            answer = await ask_for_task(self._tools, job, job.attempt_id, request)
            if answer.status not in range(200, 300):
                await self._refused(watch, answer)
                return
            report = provider.read_status(answer)
        except (Unsent, Unanswered) as error:
            await self._again(watch, error.signal)
            return
        except Unreadable:
            await self._again(watch, Signal.UNREADABLE)
            return
        if (limit := queries_per_minute(answer.headers)) is not None:
            desk.polls.limit_to(limit)
        if report.status is Status.RUNNING:
            self._tools.news.tell("job_progress", job, progress=report.progress, word=report.word)
            await self._still_running(watch, asked_at, report.progress)
            return
        self._learn(watch, asked_at, report)
        if not watch.called:
            self._trust.missed(job.account)
        # failpoint P7
        await self._inbox.take(job, report, answer=answer, unfinished_at=watch.unfinished_at)

    async def _still_running(self, watch: Watch, asked_at: float, progress: int | None) -> None:
        if await self._endings.is_overdue(watch.job):
            return
        job, provider = watch.job, self._provider(watch.job)
        began = job.answered_at or asked_at
        before, age = watch.unfinished_at - began, max(0.0, asked_at - began)
        sight = Sight(before=before, age=age, polls=watch.polls, progress=progress, was_announced=watch.announced)
        delay, announced = self._timetable.next(job, self._tools.desk(job), provider, sight)
        delay *= 1.0 if watch.called else self._stretch(job, provider)
        seen = replace(watch, unfinished_at=asked_at, failures=0, missing_since=None, polls=watch.polls + 1, announced=announced)
        self._schedule(seen, delay)

    def _learn(self, watch: Watch, asked_at: float, report: Report) -> None:
        """Take note of how long a task took, where no pause of ours lies in between."""
        job = watch.job
        if watch.timed and job.answered_at is not None:
            before, age = watch.unfinished_at - job.answered_at, asked_at - job.answered_at
            took = None
            if (ended := report.completed_at) is not None:
                took = min(age, ended + (_HALF if ended == int(ended) else 0.0) - job.answered_at)
            self._timetable.ended(job, self._tools.desk(job), before=before, age=age, took=took)

    async def _refused(self, watch: Watch, answer: Answer) -> None:
        desk = self._tools.desk(watch.job)
        action = row_of(answer.status).poll
        failure = self._provider(watch.job).read_failure(answer)
        advised = advised_wait(answer.headers, self._tools.clock.now())
        if action is Action.PAUSE:
            await self._tools.pause(desk, failure)
            desk.poll_gate = self._tools.clock.monotonic() + SLOW
            self._schedule(watch, SLOW)
        elif action is Action.THROTTLE:
            now = self._tools.clock.monotonic()
            desk.polls.refused(now)
            desk.poll_gate = now + wait_after(watch.failures + 1, self._tools.random, advised)
            if not await self._given_up(watch):
                self._schedule(replace(watch, failures=watch.failures + 1), 0.0)
        elif action in (Action.WAIT, Action.FAIL):
            await self._missing(watch, failure)
        else:
            await self._again(watch, answer.status)

    async def _missing(self, watch: Watch, failure: Failure) -> None:
        """Keep asking for a task its provider does not show; it is paid for, so it never simply fails."""
        now = self._tools.clock.monotonic()
        since = watch.missing_since if watch.missing_since is not None else now
        watch = replace(watch, missing_since=since, polls=watch.polls + 1, failures=watch.failures + 1)
        refetch = watch.job.known_at is not None
        if refetch and now - since > SLOW:
            await self._endings.lose(watch.job, failure)
        elif now - since > MISSING_FOR:
            await self._endings.hold(watch.job, Failure(code=ErrorCode.TASK_MISSING, message=failure.message))
        elif not await self._endings.is_overdue(watch.job):
            self._schedule(watch, min(SLOW, wait_after(watch.failures, self._tools.random)))

    async def _again(self, watch: Watch, signal: Signal | int) -> None:
        self._tools.news.tell("poll_failed", watch.job, signal=str(signal))
        if not await self._given_up(watch):
            watch = replace(watch, failures=watch.failures + 1)
            self._schedule(watch, wait_after(watch.failures, self._tools.random))

    async def _given_up(self, watch: Watch) -> bool:
        """Hold a task about which nothing can be learned until its deadline; one whose links died is asked for on."""
        return watch.job.known_at is None and await self._endings.is_overdue(watch.job)

    def _provider(self, job: Job) -> TaskProvider:
        identifier = job.spec.provider
        if identifier not in self._providers:
            provider = self._tools.provider(job)
            if not isinstance(provider, TaskProvider):
                raise TypeError(f"{provider.id} has no tasks to ask for, and {job.key} is {State(job.state)}")
            self._providers[identifier] = provider
        return self._providers[identifier]

"""Takes up what an earlier run, or a lost answer, left behind (reliability.md a.3 and a.4).

At start: spooled answers are read into their attempts first; only what is then still without an answer is in doubt, and
climbs the ladder. So do attempts whose answer is lost during the run, and what the user settles beside it is taken up, too.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence

from orchestrator.engine.downloader import Downloader
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.ladder import LOOK_UP_AFTER, Climb, Ladder
from orchestrator.engine.lookup import can_climb
from orchestrator.engine.paid_answers import read_spooled
from orchestrator.engine.poller import Poller
from orchestrator.engine.pulse import wait
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import AttemptState, Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.store.door import Stale
from orchestrator.store.records import Job

REMEMBERED = 7 * 86400.0
"""Seconds for which a task of an attempt that was left behind is looked for, once at every start."""
LONGEST_WAIT = 2 * 3600.0
"""Seconds for which no job is ever put off: after an hour its account is paused instead."""
_CHUNK = 500
_LEFT = (State.SUBMITTING, State.RUNNING, State.READY, State.DOWNLOADING, State.UNCERTAIN)


class Rescuer:
    """The service for attempts in doubt."""

    def __init__(
        self, tools: Tools, batches: Sequence[int], inbox: Inbox, ladder: Ladder, poller: Poller, downloader: Downloader
    ) -> None:
        self._tools, self._batches, self._inbox, self._ladder = tools, batches, inbox, ladder
        self._poller, self._downloader = poller, downloader
        self._due: list[tuple[float, int, int, Climb]] = []
        self._number = 0
        self._climbing: set[int] = set()
        self._free = asyncio.Semaphore(tools.at_once)
        self._woken = asyncio.Event()
        self._seen = 0
        self._settled: set[str] = set()

    @property
    def idle(self) -> bool:
        """Say whether no step is due, but for paying again where the account is paused."""
        return not self._climbing and all(self._must_wait(climb) for *_, climb in self._due)

    @property
    def awaited(self) -> list[float]:
        """Seconds for which calls about attempts are still waited for, where nothing else can come of them; else nothing."""
        now, due = self._tools.clock.monotonic(), [(at, climb) for at, _, _, climb in self._due if not self._is_settled(climb)]
        return [at - now for at, _ in due] if due and not self._climbing and all(climb.awaits_call for _, climb in due) else []

    def settled(self, attempt_id: str) -> None:
        """Take no further step for an attempt: somebody else has found its task."""
        self._settled.add(attempt_id)

    def _is_settled(self, climb: Climb) -> bool:
        return climb.job.attempt_id in self._settled

    def _must_wait(self, climb: Climb) -> bool:
        return self._is_settled(climb) or (climb.is_last and self._tools.desk(climb.job).paused is not None)

    async def start(self) -> None:
        """Take up every job that an earlier run left on its way, results first; sweep out answers that are used up."""
        for attempt in await self._tools.store.used_up(list(self._tools.spool.attempts())):
            self._tools.spool.discard(attempt)
        self._seen = await self._tools.store.doubts.last_event()
        await self._tools.transitions.end_impossible_waits(self._batches, LONGEST_WAIT)
        left = [job async for job in self._left_over(self._batches)]
        for job in sorted(left, key=_urgency):
            await self._try(job)
        await self._remember()

    async def look_around(self) -> None:
        """Take up the jobs to which the user, beside this run, has given a task or a result."""
        doubts, before = self._tools.store.doubts, self._seen
        self._seen = await doubts.last_event()
        for job in await doubts.brought_in(self._batches, after=before):
            await self._try(job)
        if self.awaited:
            self._settled.update(await doubts.no_longer(climb.job.attempt_id for *_, climb in self._due))

    async def join(self, batches: Sequence[int]) -> None:
        """Take up what earlier runs left of batches that are new to this one."""
        for job in sorted([job async for job in self._left_over(batches)], key=_urgency):
            await self._try(job)

    async def _try(self, job: Job) -> None:
        try:
            await self._take_up(job)
        except Stale:
            self._tools.news.tell("old_news", job, status="taken up")

    async def _left_over(self, batches: Sequence[int]) -> AsyncIterator[Job]:
        after = 0
        while chunk := await self._tools.store.in_state(*_LEFT, batches=batches, after=after, limit=_CHUNK):
            for job in chunk:
                yield job
            after = chunk[-1].id

    async def _take_up(self, job: Job) -> None:
        if job.state in (State.SUBMITTING, State.UNCERTAIN) and await self._replay(job):
            return
        if job.state is State.SUBMITTING:
            job = await self._lost_worker(job)
        if job.state is State.DOWNLOADING:
            job = await self._tools.transitions.postpone_download(job, [], "its downloader died", next_at=None)
        if job.state is State.READY:
            self._downloader.add_stored(job)
        elif job.state is State.RUNNING:
            self._poller.follow(job, delay=self._tools.random.uniform(0.0, 1.0))
        elif job.state is State.UNCERTAIN and self._can_climb(job):
            held = job.next_at is None
            self._schedule(Climb(job=job, looks=len(LOOK_UP_AFTER) - 1 if held else 0))  # what is held is looked for once a start

    async def _replay(self, job: Job) -> bool:
        """Read a spooled answer into its attempt; say whether that settled it."""
        found = await read_spooled(self._tools.spool, self._tools.provider(job), str(job.attempt_id))
        if found is None:
            return False
        report, answer = found
        at = job.answered_at or self._tools.clock.now()
        return await self._inbox.take(job, report, answer=answer, unfinished_at=at) is not None

    async def _lost_worker(self, job: Job) -> Job:
        failure = Failure(code=ErrorCode.WORKER_LOST, message="the process died while its request may have been on its way")
        next_at = self._tools.clock.now() if self._can_climb(job) else None
        job = await self._tools.transitions.doubt(job, failure, Phase.SENT, next_at=next_at)
        self._tools.news.tell("job_uncertain", job, code=failure.code.value, message=failure.message, at_stake=job.cost_worst)
        return job

    async def _remember(self) -> None:
        """Look for late results of attempts that were left behind: in the spool, then, once, at their providers."""
        doubts, now = self._tools.store.doubts, self._tools.clock.now()
        for attempt in list(self._tools.spool.attempts()):
            found = await doubts.attempt(attempt)
            if found is not None and found[1] is AttemptState.ABANDONED and found[0].batch_id in self._batches:
                await self._replay_late(found[0])
        for job in await doubts.left_behind(self._batches, since=now - REMEMBERED):
            if self._ladder.can_look(job):
                self._schedule(Climb(job=job, is_late=True))

    async def _replay_late(self, job: Job) -> None:
        found = await read_spooled(self._tools.spool, self._tools.provider(job), str(job.attempt_id))
        if found is not None:
            report, answer = found
            await self._inbox.take_late(job, report, answer=answer, unfinished_at=self._tools.clock.now())

    def _can_climb(self, job: Job) -> bool:
        return can_climb(self._tools, job)

    def look_after(self, job: Job) -> None:
        """Climb for an attempt whose answer was just lost, if anything can be found out about it."""
        if self._can_climb(job):
            self._schedule(Climb(job=job))

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Climb until cancelled; each step is a task of `group`."""
        while True:
            now = self._tools.clock.monotonic()
            if self._due and self._due[0][0] <= now:
                *_, climb = heapq.heappop(self._due)
                self._climbing.add(id(climb))
                await self._free.acquire()
                group.create_task(self._serve(climb), name=f"rescue {climb.job.key}")
                continue
            self._woken.clear()
            await wait(self._woken, self._tools.clock, self._due[0][0] - now if self._due else None)

    def _schedule(self, climb: Climb, delay: float = 0.0) -> None:
        self._number += 1
        heapq.heappush(self._due, (self._tools.clock.monotonic() + delay, climb.job.id, self._number, climb))
        self._woken.set()

    async def _serve(self, climb: Climb) -> None:
        try:
            following = None if self._is_settled(climb) else await self._ladder.climb(climb)
            if following is not None:
                self._schedule(*following)
        except Stale:
            self._tools.news.tell("old_news", climb.job, status="looked up")
        finally:
            self._climbing.discard(id(climb))
            self._free.release()
            self._tools.pulse.beat()


def _urgency(job: Job) -> tuple[int, float]:
    """Results before everything else, the earliest deadline first."""
    return (0 if job.state in (State.READY, State.DOWNLOADING) else 1, job.deadline or float("inf"))

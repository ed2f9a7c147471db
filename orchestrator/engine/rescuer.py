"""Takes up what an earlier run, or a lost answer, left behind (reliability.md a.3 and a.4).

At start: spooled answers are read into their attempts first; only what is then still without an answer is in doubt. During
the run: attempts in doubt are looked up by our own reference after 0, 2, 10 and 60 seconds. A look-up that finds nothing
never leads to paying again.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence

from orchestrator.engine.downloader import Downloader
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.poller import Poller
from orchestrator.engine.pulse import wait
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.reports import Report
from orchestrator.providers.base import LookupProvider, TaskProvider
from orchestrator.store.door import Stale
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request, Unanswered, Unreadable, Unsent

LOOK_UP_AFTER = (0.0, 2.0, 10.0, 60.0)
"""Seconds after the doubt at which a task is looked for."""
_NOT_FOUND = frozenset({404, 410})
_CHUNK = 500
_LEFT = (State.SUBMITTING, State.RUNNING, State.READY, State.DOWNLOADING, State.UNCERTAIN)


class Rescuer:
    """The service for attempts in doubt."""

    def __init__(self, tools: Tools, batches: Sequence[int], inbox: Inbox, poller: Poller, downloader: Downloader) -> None:
        self._batches = batches
        self._tools, self._inbox, self._poller, self._downloader = tools, inbox, poller, downloader
        self._due: list[tuple[float, int, int, Job]] = []
        self._looking: set[int] = set()
        self._woken = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Say whether no look-up is due."""
        return not self._due and not self._looking

    async def start(self) -> None:
        """Take up every job that an earlier run left on its way, results first; sweep out answers that are used up."""
        for attempt in await self._tools.store.used_up(list(self._tools.spool.attempts())):
            self._tools.spool.discard(attempt)
        left = [job async for job in self._left_behind()]
        for job in sorted(left, key=_urgency):
            try:
                await self._take_up(job)
            except Stale:
                self._tools.news.tell("old_news", job, status="taken up")

    async def _left_behind(self) -> AsyncIterator[Job]:
        after = 0
        while chunk := await self._tools.store.in_state(*_LEFT, batches=self._batches, after=after, limit=_CHUNK):
            for job in chunk:
                yield job
            after = chunk[-1].id

    async def _take_up(self, job: Job) -> None:
        in_doubt = job.state in (State.SUBMITTING, State.UNCERTAIN)
        if in_doubt and self._tools.spool.has(str(job.attempt_id)) and await self._replay(job):
            return
        if job.state is State.SUBMITTING:
            job = await self._lost_worker(job)
        if job.state is State.DOWNLOADING:
            job = await self._tools.transitions.postpone_download(job, [], "its downloader died", next_at=None)
        if job.state is State.READY:
            self._downloader.add_stored(job)
        elif job.state is State.RUNNING:
            self._poller.follow(job, delay=self._tools.random.uniform(0.0, 1.0))
        elif job.state is State.UNCERTAIN and self._question(job) is not None:
            held = job.next_at is None
            self._schedule(job, tries=len(LOOK_UP_AFTER) - 1 if held else 0, delay=0.0)  # what is held is looked for once a start

    async def _replay(self, job: Job) -> bool:
        """Read a spooled answer into its attempt; say whether that settled it."""
        spooled = await self._tools.spool.read(str(job.attempt_id))
        answer = Answer(status=spooled.status, headers=spooled.headers, body=spooled.body)
        if answer.status not in range(200, 300):
            return False
        try:
            report = self._tools.provider(job).read_submission(answer)
        except Unreadable:
            return False  # it stays in the spool: a later version may read it
        at = job.answered_at or self._tools.clock.now()
        return await self._inbox.take(job, report, answer=answer, unfinished_at=at) is not None

    async def _lost_worker(self, job: Job) -> Job:
        failure = Failure(code=ErrorCode.WORKER_LOST, message="the process died while its request may have been on its way")
        next_at = self._tools.clock.now() if self._question(job) is not None else None
        job = await self._tools.transitions.doubt(job, failure, Phase.SENT, next_at=next_at)
        self._tools.news.tell("job_uncertain", job, code=failure.code.value, message=failure.message, at_stake=job.cost_worst)
        return job

    def look_after(self, job: Job) -> None:
        """Look for the task of an attempt in doubt, if its provider can be asked."""
        if self._question(job) is not None:
            self._schedule(job, tries=0, delay=LOOK_UP_AFTER[0])

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Look until cancelled; each look-up is a task of `group`."""
        while True:
            now = self._tools.clock.monotonic()
            if self._due and self._due[0][0] <= now:
                _, _, tries, job = heapq.heappop(self._due)
                self._looking.add(job.id)
                group.create_task(self._serve(job, tries), name=f"look up {job.key}")
                continue
            self._woken.clear()
            await wait(self._woken, self._tools.clock, self._due[0][0] - now if self._due else None)

    def _schedule(self, job: Job, *, tries: int, delay: float) -> None:
        heapq.heappush(self._due, (self._tools.clock.monotonic() + delay, job.id, tries, job))
        self._woken.set()

    async def _serve(self, job: Job, tries: int) -> None:
        try:
            await self._look(job, tries)
        except Stale:
            self._tools.news.tell("old_news", job, status="looked up")
        finally:
            self._looking.discard(job.id)
            self._tools.pulse.beat()

    async def _look(self, job: Job, tries: int) -> None:
        report, why = await self._found(job)
        if report is not None:
            self._tools.news.tell("task_found", job, remote_id=report.remote_id)
            await self._inbox.take(job, report, answer=None, unfinished_at=self._tools.clock.now())
        elif tries + 1 < len(LOOK_UP_AFTER):
            delay = LOOK_UP_AFTER[tries + 1] - LOOK_UP_AFTER[tries]
            job = await self._tools.transitions.look_again(job, why, next_at=self._tools.clock.now() + delay)
            self._schedule(job, tries=tries + 1, delay=delay)
        else:
            job = await self._tools.transitions.look_again(job, why, next_at=None)
            self._tools.news.tell("job_held", job, reason=why)

    async def _found(self, job: Job) -> tuple[Report | None, str]:
        question = self._question(job)
        if question is None:
            return None, "nobody to ask"
        settings = self._tools.desk(job).settings
        try:
            answer = await self._tools.transport.ask(question, settings, within=settings.timeouts.poll)
            if answer.status in _NOT_FOUND:
                return None, "the provider knows no such task"
            if answer.status not in range(200, 300):
                return None, f"the look-up was answered with HTTP {answer.status}"
            return self._read(job, answer), "the provider shows no task of this attempt"
        except (Unsent, Unanswered, Unreadable) as error:
            return None, f"the look-up failed: {error}"

    def _question(self, job: Job) -> Request | None:
        provider, settings = self._tools.provider(job), self._tools.desk(job).settings
        if job.remote_id is not None and isinstance(provider, TaskProvider):
            return provider.status_request(job.remote_id, settings)
        if provider.capabilities.lookup and isinstance(provider, LookupProvider):
            return provider.lookup_request(str(job.attempt_id), settings)
        return None

    def _read(self, job: Job, answer: Answer) -> Report | None:
        provider = self._tools.provider(job)
        if job.remote_id is not None and isinstance(provider, TaskProvider):
            return provider.read_status(answer)
        if isinstance(provider, LookupProvider):
            return provider.read_lookup(answer, str(job.attempt_id))
        return None


def _urgency(job: Job) -> tuple[int, float]:
    """Results before everything else, the earliest deadline first."""
    return (0 if job.state in (State.READY, State.DOWNLOADING) else 1, job.deadline or float("inf"))

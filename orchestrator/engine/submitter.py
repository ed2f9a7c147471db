"""Hands the jobs of one account to its slots: never more than are free, never while results wait too long to be fetched."""

import asyncio
from collections.abc import Callable

from orchestrator.engine.attempt import Submission
from orchestrator.engine.backlog import Backlog
from orchestrator.engine.desk import Desk
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.inputs import InputRoom, UploadFailed
from orchestrator.engine.own_images import InputChanged
from orchestrator.engine.parents import Unfit
from orchestrator.engine.permit import Permit
from orchestrator.engine.queue import Queue
from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.recent import WINDOW
from orchestrator.jobs.retry import wait_after
from orchestrator.store.bookkeeping import BudgetReached
from orchestrator.store.door import Stale
from orchestrator.store.records import Job

_INPUT_TRIES = 5
"""Rounds of uploading after which a job fails; each round has tries of its own."""


class Submitter:
    """The service of one account."""

    def __init__(self, tools: Tools, inbox: Inbox, desk: Desk, queue: Queue, backlog: Backlog) -> None:
        self._tools, self._inbox, self._desk, self._queue, self._backlog = tools, inbox, desk, queue, backlog
        self._inputs = InputRoom(tools)
        self._passed: dict[int, float] = {}
        self.rescue: Callable[[Job], None] = _nobody

    @property
    def idle(self) -> bool:
        """Say whether nothing is in flight, and nothing is left to send or may be sent."""
        return not self._desk.handed and (self._queue.empty or self._desk.paused is not None)

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Send jobs until cancelled; each is a task of `group`, and goes on when this ends."""
        while True:
            job, permit = await self._turn(await self._queue.next())
            self._desk.handed.add(job.id)
            self._passed.pop(job.id, None)
            group.create_task(self._serve(job, permit), name=f"submit {job.key}")

    async def _turn(self, job: Job) -> tuple[Job, Permit]:
        """Wait until a job may go; return it, or a smaller one that goes before it without making it wait longer."""
        limiter = self._desk.limiter
        while True:
            if not self._has_room():
                await self._tools.pulse.next()
                continue
            job = self._filling(job)
            permit = limiter.take(job.spec.request_n)
            if permit is not None:
                return job, permit
            if (spare := limiter.spare(job.spec.request_n)) and (smaller := self._queue.pass_by(job, spare)) is not None:
                job = smaller
            else:
                await limiter.change(job.spec.request_n)
                job = self._queue.sooner(job)

    def _filling(self, job: Job) -> Job:
        """Return the largest job that fits into what is left of a window, so that the small ones remain for later gaps.

        Whoever was passed by for a whole window goes first.
        """
        least = job.spec.request_n + 1
        if (gap := self._desk.limiter.gap()) < least:
            return job
        now = self._tools.clock.monotonic()
        if now - self._passed.get(job.id, now) >= WINDOW or (larger := self._queue.pass_by(job, gap, least=least)) is None:
            return job
        self._passed.setdefault(job.id, now)
        return larger

    def _has_room(self) -> bool:
        if self._desk.paused is not None or not self._desk.has_room:
            return False
        return not self._backlog.full(self._expected())

    def _expected(self) -> int:
        return len(self._desk.outstanding) + len(self._desk.handed)

    async def _serve(self, job: Job, permit: Permit) -> None:
        try:
            after = await self._submit(job, permit)
        finally:
            self._desk.limiter.release(permit)
        if after is not None and after.state is State.PENDING:
            self._queue.put_back(after)
        elif after is not None and after.state is State.UNCERTAIN:
            self.rescue(after)
        self._desk.handed.discard(job.id)
        self._tools.pulse.beat()

    async def _submit(self, job: Job, permit: Permit) -> Job | None:
        if self._tools.budget.holds_back(job):
            self._queue.set_aside(job)
            return None
        try:
            prepared = await self._inputs.prepare(job)
        except (InputChanged, Unfit) as error:
            return await self._refuse(job, Failure(code=ErrorCode.INPUT_CHANGED, message=str(error)))
        except UploadFailed as error:
            return await self._put_off(job, error)
        try:
            return await Submission(self._tools, self._inbox, self._desk, permit).make(job, prepared)
        except BudgetReached:
            self._queue.set_aside(job)
            return None

    async def _put_off(self, job: Job, error: UploadFailed) -> Job | None:
        if not error.again or job.tries + 1 >= _INPUT_TRIES:
            return await self._refuse(job, error.failure)
        next_at = self._tools.clock.now() + wait_after(job.tries + 1, self._tools.random, error.failure.retry_after)
        try:
            job = await self._tools.transitions.postpone_unsent(job, error.failure, next_at=next_at, tries=job.tries + 1)
        except Stale:
            return None
        self._tools.news.tell("job_postponed", job, code=error.failure.code.value, message=error.failure.message)
        return job

    async def _refuse(self, job: Job, failure: Failure) -> Job | None:
        try:
            job = await self._tools.transitions.refuse_unsent(job, failure)
        except Stale:
            return None
        self._tools.news.tell("job_failed", job, code=failure.code.value, message=failure.message)
        return job


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody looks after {job.key}")

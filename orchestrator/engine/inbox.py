"""The only door for news from outside: whatever a provider says of a job, polled, pushed or answered, passes here."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from orchestrator.engine.backlog import Backlog, Waiting
from orchestrator.engine.delivering import accepted_of, delivery_of
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import LIVE, AttemptState, Charged, Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.reports import Report, Status
from orchestrator.store.door import Stale, Unavailable
from orchestrator.store.records import Accepted, AttemptEnd, Delivery, Image, Job
from orchestrator.transport.messages import Answer

_RETRY_STORE = 1.0
"""Seconds between tries to write down an answer that only memory holds."""


class Download(Protocol):
    """Who takes results."""

    def __call__(self, job: Job, delivery: Delivery, *, first: bool) -> None:
        """Take the results of a job, for the `first` time or with fresh links."""


class Inbox:
    """Turns reports into steps, and hands the job to whoever is next."""

    def __init__(self, tools: Tools, backlog: Backlog) -> None:
        self._tools, self._backlog = tools, backlog
        self.follow: Callable[[Job], None] = _nobody
        self.download: Download = _nobody_either
        self.keep_extra: Callable[[Job, list[Image]], None] = _nobody_at_all

    async def take(self, job: Job, report: Report, *, answer: Answer | None, unfinished_at: float) -> Job | None:
        """Apply a report to a job; `unfinished_at` is the last moment (Unix seconds) its task was known not to be finished.

        Returns the job as it is now, or None when the news was old. A paid answer that the store does not take is put beside it
        for the next run, and `Unavailable` goes on; one that can be put nowhere is offered to the store until it is taken.
        """
        try:
            return await self._persistently(lambda: self._apply(job, report, answer, unfinished_at), job, answer)
        except Stale:
            if not await self.take_late(job, report, answer=answer, unfinished_at=unfinished_at):
                self._tools.news.tell("old_news", job, status=report.status.value, attempt=job.attempt_id)
            return None

    async def adopt(self, attempt_id: str, report: Report, *, unfinished_at: float) -> Job | None:
        """Apply a report to whatever job has this attempt; for callbacks, once the task was looked at by the authenticated API.

        It may come before the answer to the submission, long after it, or for an attempt that was left behind. Returns the job
        as it is now, or None when the report moved nothing.
        """
        found = await self._tools.store.doubts.attempt(attempt_id)
        if found is None:
            return None
        job, standing = found
        if standing is AttemptState.ABANDONED:
            await self.take_late(job, report, answer=None, unfinished_at=unfinished_at)
            return None
        return await self.take(job, report, answer=None, unfinished_at=unfinished_at) if standing in LIVE else None

    async def take_late(self, job: Job, report: Report, *, answer: Answer | None, unfinished_at: float) -> bool:
        """Book what a report says of an attempt that was left behind, and keep its images as extra; say whether it was one."""
        if report.remote_id is None and not report.outputs:
            return False
        doubt = await self._tools.store.doubts.of(job)
        delivery = self._delivery(job, report, answer, unfinished_at)
        try:
            images = await self._tools.transitions.keep_late(job, doubt.number, delivery)
        except Stale:
            return False
        if images:
            self._tools.news.tell("late_result", job, attempt=job.attempt_id, images=len(images), cost=delivery.cost)
            self.keep_extra(job, images)
            if not doubt.is_settled:
                await self._check_charge(job, delivery.cost)
        return True

    async def _persistently(self, work: Callable[[], Awaitable[Job]], job: Job, answer: Answer | None) -> Job:
        while True:
            try:
                return await work()
            except Unavailable as error:
                # failpoint P16
                if job.state not in (State.SUBMITTING, State.UNCERTAIN) or answer is None or await self._kept(job, answer):
                    raise
                self._tools.brake.pull_for(error)
                self._tools.news.tell("store_unavailable", job, reason=str(error))
                await self._tools.clock.sleep(_RETRY_STORE)

    async def _kept(self, job: Job, answer: Answer) -> bool:
        """Put an answer where the next start finds it, unless it lies there, more whole than in memory; say whether it does."""
        spool = self._tools.spool
        try:
            if not spool.has(str(job.attempt_id)):
                await spool.keep(str(job.attempt_id), answer.status, answer.headers, answer.body)
        except OSError as error:
            self._tools.brake.pull(f"an answer can be written nowhere: {error}")
            return False
        return True

    async def _apply(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Job:
        if report.status is Status.SUCCEEDED and report.outputs:
            return await self._deliver(job, report, answer, unfinished_at)
        if report.status in (Status.FAILED, Status.CANCELLED, Status.SUCCEEDED):
            return await self._fail(job, report)
        if job.state in (State.SUBMITTING, State.UNCERTAIN):
            return await self._accept(job, report, answer)
        return job

    async def _accept(self, job: Job, report: Report, answer: Answer | None) -> Job:
        moved = await self._tools.transitions.accept(job, self._accepted(job, report, answer))
        # failpoint P6
        desk = self._tools.desk(job)
        desk.contacted = True
        desk.outstanding.add(job.id)
        self._tools.news.tell("job_accepted", moved, remote_id=report.remote_id)
        self.follow(moved)
        return moved

    async def _deliver(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Job:
        delivery = self._delivery(job, report, answer, unfinished_at)
        moved = await self._tools.transitions.deliver(job, delivery)
        # failpoint P6
        desk = self._tools.desk(job)
        desk.contacted = True
        desk.outstanding.discard(job.id)
        waiting = Waiting(images=len(delivery.images), since=delivery.known_at, deadline=delivery.deadline)
        self._backlog.add(moved.id, waiting)
        cost = delivery.cost if job.known_at is None else Decimal(0)  # asked for again, it is not paid again
        self._tools.news.tell("job_ready", moved, images=len(delivery.images), cost=cost)
        self.download(moved, delivery, first=job.known_at is None)
        await self._check_charge(moved, cost)
        return moved

    async def _check_charge(self, job: Job, cost: Decimal | None) -> None:
        """Name a charge above the worst case that was reserved for it; the account stops where it breaks a budget's promise."""
        if cost is None or job.cost_reserved is None or cost <= job.cost_reserved:
            return
        self._tools.news.tell("job_overcharged", job, cost=cost, reserved=job.cost_reserved)
        if self._tools.budget.covers(job):
            known = f"{job.key} cost {cost:f} USD, and at most {job.cost_reserved:f} USD was expected"
            message = f"{known}: correct the price of {job.spec.model} in prices of the account, and `run` the file again"
            await self._tools.pause(self._tools.desk(job), Failure(code=ErrorCode.OVERCHARGED, message=message))

    async def _fail(self, job: Job, report: Report) -> Job:
        failure = report.failure or Failure(code=ErrorCode.NO_IMAGE, message="the provider says it succeeded and shows no image")
        end = self._failed(job, report, failure)
        desk = self._tools.desk(job)
        if job.state is State.SUBMITTING:
            desk.contacted = True
            moved = await self._tools.transitions.refuse(job, end, failure)
        elif job.state is State.RUNNING and job.known_at is not None:
            gone = Failure(code=ErrorCode.RESULT_EXPIRED, message=f"asked for again, the provider says: {failure.message}")
            moved = await self._tools.transitions.lose(job, await self._tools.store.images(job), gone)
        else:
            adopted = await self._adopted(job, report)
            moved = await self._tools.transitions.fail_task(adopted, end, failure)
        desk.outstanding.discard(job.id)
        self._backlog.remove(job.id)
        self._tools.news.tell_failure(moved, failure)
        await self._check_charge(moved, end.cost if job.known_at is None else None)
        return moved

    def _failed(self, job: Job, report: Report, failure: Failure) -> AttemptEnd:
        """Return the end of an attempt without an image: what it cost is the provider's to say, and a doubt while it does not."""
        cost = self._tools.provider(job).cost(job.spec.request, self._tools.desk(job).settings, report)
        if cost is not None:
            charged = Charged.YES if cost else Charged.NO
        else:
            charged = Charged.YES if failure.code is ErrorCode.NO_IMAGE else Charged.POSSIBLE
        return AttemptEnd(
            state=AttemptState.FAILED,
            charged=charged,
            phase=Phase.ANSWERED,
            failure=failure,
            cost=cost,
            usage=report.usage or None,
        )

    async def _adopted(self, job: Job, report: Report) -> Job:
        """Return a job of which a task was found; an uncertain one has to become a running one before it can fail."""
        if job.state is not State.UNCERTAIN:
            return job
        return await self._tools.transitions.accept(job, self._accepted(job, report, None))

    def _delivery(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Delivery:
        provider, settings, now = self._tools.provider(job), self._tools.desk(job).settings, self._tools.clock.now()
        return delivery_of(job, provider, settings, report, answer, unfinished_at=unfinished_at, now=now)

    def _accepted(self, job: Job, report: Report, answer: Answer | None) -> Accepted:
        return accepted_of(job, self._tools.provider(job), report, answer)


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody follows {job.key}")


def _nobody_either(job: Job, delivery: Delivery, *, first: bool) -> None:
    raise RuntimeError(f"nobody downloads the {len(delivery.images)} images of {job.key} ({first})")


def _nobody_at_all(job: Job, images: list[Image]) -> None:
    raise RuntimeError(f"nobody keeps the {len(images)} extra images of {job.key}")

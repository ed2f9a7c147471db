"""The only door for news from outside: whatever a provider says of a job, polled, pushed or answered, passes here."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from orchestrator.engine.backlog import Backlog, Waiting
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import AttemptState, Charged, Phase
from orchestrator.jobs.deadlines import deadline
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import Provider, Shape
from orchestrator.store.door import Stale, Unavailable
from orchestrator.store.records import Accepted, AttemptEnd, Delivery, Job, NewImage
from orchestrator.transport.messages import Answer

_RETRY_STORE = 1.0
"""Seconds between tries to write down an answer that the store would not take."""


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

    async def take(self, job: Job, report: Report, *, answer: Answer | None, unfinished_at: float) -> Job | None:
        """Apply a report to a job; `unfinished_at` is the last moment (Unix seconds) its task was known not to be finished.

        Returns the job as it is now, or None when the news was old. An answer that the store does not take is spooled and
        written again until it does: it belongs to its attempt, whatever else happens.
        """
        try:
            return await self._persistently(lambda: self._apply(job, report, answer, unfinished_at), job, answer)
        except Stale:
            self._tools.news.tell("old_news", job, status=report.status.value, attempt=job.attempt_id)
            return None

    async def _persistently(self, work: Callable[[], Awaitable[Job]], job: Job, answer: Answer | None) -> Job:
        while True:
            try:
                return await work()
            except Unavailable as error:
                if answer is not None and job.attempt_id is not None:
                    await self._tools.spool.keep(job.attempt_id, answer.status, answer.headers, answer.body)
                self._tools.news.tell("store_unavailable", job, reason=str(error))
                await self._tools.clock.sleep(_RETRY_STORE)

    async def _apply(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Job:
        if report.status is Status.SUCCEEDED and report.outputs:
            return await self._deliver(job, report, answer, unfinished_at)
        if report.status in (Status.FAILED, Status.CANCELLED, Status.SUCCEEDED):
            return await self._fail(job, report)
        if job.state in (State.SUBMITTING, State.UNCERTAIN):
            return await self._accept(job, report, answer)
        return job

    async def _accept(self, job: Job, report: Report, answer: Answer | None) -> Job:
        moved = await self._tools.transitions.accept(job, _accepted(report, answer, spool=None))
        desk = self._tools.desk(job)
        desk.contacted = True
        desk.outstanding.add(job.id)
        self._tools.news.tell("job_accepted", moved, remote_id=report.remote_id)
        self.follow(moved)
        return moved

    async def _deliver(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Job:
        delivery = self._delivery(job, report, answer, unfinished_at)
        moved = await self._tools.transitions.deliver(job, delivery)
        desk = self._tools.desk(job)
        desk.contacted = True
        desk.outstanding.discard(job.id)
        waiting = Waiting(images=len(delivery.images), since=delivery.known_at, deadline=delivery.deadline)
        self._backlog.add(moved.id, waiting)
        cost = delivery.cost if job.known_at is None else Decimal(0)  # asked for again, it is not paid again
        self._tools.news.tell("job_ready", moved, images=len(delivery.images), cost=cost)
        self.download(moved, delivery, first=job.known_at is None)
        return moved

    async def _fail(self, job: Job, report: Report) -> Job:
        failure = report.failure or Failure(code=ErrorCode.NO_IMAGE, message="the provider says it succeeded and shows no image")
        charged = Charged.YES if failure.code is ErrorCode.NO_IMAGE else Charged.POSSIBLE
        desk = self._tools.desk(job)
        if job.state is State.SUBMITTING:
            desk.contacted = True
            end = AttemptEnd(state=AttemptState.FAILED, charged=charged, phase=Phase.ANSWERED, failure=failure)
            moved = await self._tools.transitions.refuse(job, end, failure)
        elif job.state is State.RUNNING and job.known_at is not None:
            gone = Failure(code=ErrorCode.RESULT_EXPIRED, message=f"asked for again, the provider says: {failure.message}")
            moved = await self._tools.transitions.lose(job, await self._tools.store.images(job), gone)
        else:
            moved = await self._tools.transitions.fail_task(await self._adopted(job, report), failure, charged)
        desk.outstanding.discard(job.id)
        self._backlog.remove(job.id)
        self._tools.news.tell("job_failed", moved, code=failure.code.value, message=failure.message)
        return moved

    async def _adopted(self, job: Job, report: Report) -> Job:
        """Return a job of which a task was found; an uncertain one has to become a running one before it can fail."""
        if job.state is not State.UNCERTAIN:
            return job
        return await self._tools.transitions.accept(job, _accepted(report, None, spool=None))

    def _delivery(self, job: Job, report: Report, answer: Answer | None, unfinished_at: float) -> Delivery:
        provider = self._tools.provider(job)
        now = self._tools.clock.now()
        since = min(report.completed_at if report.completed_at is not None else unfinished_at, now)
        images = tuple(self._image(job, provider, report, index, output, since) for index, output in enumerate(report.outputs))
        deadlines = [image.deadline for image in images if image.deadline is not None]
        spooled = provider.capabilities.shape is Shape.SYNCHRONOUS
        return Delivery(
            images=images,
            known_at=since,
            deadline=min(deadlines, default=None),
            usage=report.usage or None,
            cost=provider.cost(job.spec, self._tools.desk(job).settings, report),
            missing=max(0, job.spec.n - len(images)),
            accepted=_accepted(report, answer, spool=job.attempt_id if spooled else None),
        )

    def _image(self, job: Job, provider: Provider, report: Report, index: int, output: Output, since: float) -> NewImage:
        if output.url is None:
            return NewImage(index=index, base64=output.base64, revised_prompt=output.revised_prompt)
        dies = deadline(
            since=since,
            url=output.url,
            stated=report.expires_at,
            url_lifetime=self._tools.desk(job).settings.url_lifetime,
            trust_stated=provider.capabilities.trusts_expiry,
        )
        return NewImage(index=index, url=output.url, deadline=dies, revised_prompt=output.revised_prompt)


def _accepted(report: Report, answer: Answer | None, *, spool: str | None) -> Accepted:
    words = {"status": report.word} if report.word is not None else None
    return Accepted(
        remote_id=report.remote_id,
        spool=spool,
        http_status=answer.status if answer else None,
        request_id=report.request_id,
        words=words,
    )


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody follows {job.key}")


def _nobody_either(job: Job, delivery: Delivery, *, first: bool) -> None:
    raise RuntimeError(f"nobody downloads the {len(delivery.images)} images of {job.key} ({first})")

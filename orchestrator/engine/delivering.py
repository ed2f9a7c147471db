"""What a provider's report of results means to the store: one delivery, with deadlines and cost."""

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.deadlines import deadline
from orchestrator.jobs.reports import Output, Report
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Provider, Shape
from orchestrator.store.records import Accepted, Delivery, Job, NewImage
from orchestrator.transport.messages import Answer


def delivery_of(
    job: Job,
    provider: Provider,
    settings: AccountSettings,
    report: Report,
    answer: Answer | None,
    *,
    unfinished_at: float,
    now: float,
) -> Delivery:
    """Return the results of a report; `unfinished_at` is the last moment (Unix seconds) they were known not to exist."""
    since = min(report.completed_at if report.completed_at is not None else unfinished_at, now)
    images = tuple(
        _image(provider, settings, report, _index(job, number), output, since) for number, output in enumerate(report.outputs)
    )
    deadlines = [image.deadline for image in images if image.deadline is not None]
    return Delivery(
        images=images,
        known_at=since,
        deadline=min(deadlines, default=None),
        usage=report.usage or None,
        cost=provider.cost(job.spec.request, settings, report),
        missing=max(0, job.spec.request.n - len(images)),
        accepted=accepted_of(job, provider, report, answer),
    )


def _index(job: Job, number: int) -> int:
    """Return which image of its job an answer's `number`-th is: each request of a `fan_out` makes one, the rest is extra."""
    if not job.spec.fan_out or number == 0:
        return job.part + number
    return job.spec.n * (job.part + 1) + number - 1


def accepted_of(job: Job, provider: Provider, report: Report, answer: Answer | None) -> Accepted:
    """Return what a report proves: the attempt was accepted, under this id or with the answer that lies in the spool."""
    is_spooled = provider.capabilities.shape is Shape.SYNCHRONOUS or report.remote_id is None
    return Accepted(
        remote_id=report.remote_id,
        spool=job.attempt_id if is_spooled else None,
        http_status=answer.status if answer else None,
        request_id=report.request_id,
        words=_words(report) or None,
    )


def _words(report: Report) -> dict[str, Json]:
    names = [output.remote_id for output in report.outputs]
    status = {"status": report.word} if report.word is not None else {}
    return {**status, "images": names} if any(names) else status


def _image(provider: Provider, settings: AccountSettings, report: Report, index: int, output: Output, since: float) -> NewImage:
    if output.url is None:
        return NewImage(index=index, base64=output.base64, revised_prompt=output.revised_prompt)
    dies = deadline(
        since=since,
        url=output.url,
        stated=report.expires_at,
        url_lifetime=settings.url_lifetime,
        trust_stated=provider.capabilities.trusts_expiry,
    )
    return NewImage(index=index, url=output.url, deadline=dies, revised_prompt=output.revised_prompt)

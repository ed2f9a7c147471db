"""What TTAPI's job answers mean (providers.md 2.4); the status words stand in the table here."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.error_body import request_id
from orchestrator.providers.ttapi_errors import embedded_failure
from orchestrator.transport.messages import Answer, Unreadable, shown

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "PENDING_QUEUE": Status.RUNNING,
        "ON_QUEUE": Status.RUNNING,
        "SUCCESS": Status.SUCCEEDED,
        "FAILED": Status.FAILED,
    }
)
"""Status word of a fetched job -> its meaning. In the answer to a submission SUCCESS only says that the job was accepted."""

_QUOTA = re.compile(r"\d{1,9}(\.\d{1,6})?")


def job_id(body: Mapping[str, Json]) -> str | None:
    """Return a job's opaque id: `jobId` or `job_id`, in `data` when a job is accepted, at the top when it is fetched."""
    data = body.get("data")
    for place in (body, data if isinstance(data, Mapping) else {}):
        for name in ("jobId", "job_id"):
            value = place.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return str(value)
    return None


def read_job(answer: Answer) -> Report:
    """Return what a fetched job, or a call about one, says of itself; a word no table knows is running.

    Raises `Unreadable` where it does not speak of a job: a FAILED without any job is about the question, and no reason to give
    up something that is paid for. When it ended stays unknown, for `finishTime` names no time zone.
    """
    body = answer.object()
    word, data = body.get("status"), body.get("data")
    if not isinstance(word, str) or (job_id(body) is None and not isinstance(data, Mapping)):
        raise Unreadable(f"the answer is no job: {shown(answer.body)}")
    job = data if isinstance(data, Mapping) else {}
    status = STATUSES.get(word.upper(), Status.RUNNING)
    outputs = _outputs(job) if status is Status.SUCCEEDED else ()
    failure = embedded_failure(answer, body) if status is Status.FAILED else None
    if status is Status.SUCCEEDED and not outputs:
        status, failure = Status.FAILED, _without_image(answer, job)
    return Report(
        status=status,
        word=word,
        remote_id=job_id(body),
        outputs=outputs,
        usage=used(job),
        failure=failure,
        request_id=request_id(answer),
    )


def used(job: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what a job says it used, for `Report.usage`."""
    quota = quota_of(job)
    return {} if quota is None else {"quota": str(quota)}


def shows(answer: Answer, prompt: str, is_our_path: Callable[[str], bool]) -> bool:
    """Say whether a fetched job was ordered with this prompt and this hook URL, as far as it tells, and it must tell one."""
    data = answer.object().get("data")
    job = data if isinstance(data, Mapping) else {}
    told, hook = job.get("prompt"), job.get("hookUrl")
    agreements = [told.strip() == prompt.strip()] if isinstance(told, str) and told else []
    agreements += [is_our_path(hook)] if isinstance(hook, str) and hook else []
    return bool(agreements) and all(agreements)


def quota_of(job: Mapping[str, Json]) -> Decimal | None:
    """Return what a job used of the balance, in TTAPI's own units; it comes as text."""
    quota = job.get("quota")
    text = str(quota) if isinstance(quota, str | int | float) and not isinstance(quota, bool) else ""
    return Decimal(text) if _QUOTA.fullmatch(text) else None


def _outputs(job: Mapping[str, Json]) -> tuple[Output, ...]:
    found = job.get("imageUrl")
    urls = found if isinstance(found, list) else [found]
    return tuple(Output(url=url) for url in urls if isinstance(url, str) and url)


def _without_image(answer: Answer, job: Mapping[str, Json]) -> Failure:
    if not job.get("finishTime"):
        raise Unreadable(f"the job succeeded, but no image is in the answer: {shown(answer.body)}")
    return Failure(
        code=ErrorCode.NO_IMAGE,
        message="the job ended without an image; the model may have answered in words, so ask it to draw something",
        http_status=answer.status,
        request_id=request_id(answer),
    )

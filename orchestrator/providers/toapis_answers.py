"""What ToAPIs' task answers mean (providers.md 1.3 to 1.6): its status words and error words stand in the tables here."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.error_body import error_of, failure, judged, request_id
from orchestrator.transport.messages import Answer

# The first line of each is documented by ToAPIs; the others are what gateways of its kind say (providers.md 0.4).
_WORDS: Mapping[Status, tuple[str, ...]] = MappingProxyType(
    {
        Status.RUNNING: (
            "queued", "submitted", "pending", "in_progress",
            "in_queue", "starting", "waiting", "queuing", "not_start", "processing", "generating",
        ),
        Status.SUCCEEDED: (
            "completed",
            "succeeded", "success", "ready",
        ),
        Status.FAILED: (
            "failed",
            "aborted", "error", "request moderated", "content moderated",
            "fail", "create_task_failed", "generate_failed", "failure",
        ),
        Status.CANCELLED: ("cancelled", "canceled"),
    }
)  # fmt: skip

STATUSES: Mapping[str, Status] = MappingProxyType({word: status for status, words in _WORDS.items() for word in words})
"""Status word in lower case -> its meaning."""

ERRORS: Mapping[str, ErrorCode] = MappingProxyType(
    {
        "invalid_reference_images": ErrorCode.INVALID_REQUEST,
        "webhook_not_configured": ErrorCode.INVALID_REQUEST,
        "authentication_error": ErrorCode.BAD_KEY,
        "insufficient_quota": ErrorCode.QUOTA,
        "not_found_error": ErrorCode.NOT_FOUND,
        "task_not_found": ErrorCode.NOT_FOUND,
        "content_policy_violation": ErrorCode.REFUSED,
        "rate_limit_exceeded": ErrorCode.THROTTLED,
        "internal_error": ErrorCode.SERVER_ERROR,
        "rate_limit_unavailable": ErrorCode.UNAVAILABLE,
        "generation_failed": ErrorCode.GENERATION_FAILED,
    }
)
"""Error code or type -> our code (providers.md 1.5)."""
FORGOTTEN: Mapping[str, ErrorCode] = MappingProxyType({"invalid_reference_images": ErrorCode.UPLOAD_FORGOTTEN})
"""Error code -> what of ours may be no longer there: how long an upload lives is not known (providers.md H)."""

_MODERATION = re.compile(
    r"moderation|content[ _]policy|safety|sensitive|nsfw|violat|(upstream|status)\D{0,20}\b422\b|\b422\b\D{0,20}upstream",
    re.IGNORECASE,
)
_NO_STATUS = 500
"""A task's failure has no HTTP status of its own: what no table knows is the server's fault."""


def task_id(task: Mapping[str, Json]) -> str | None:
    """Return a task's opaque id, which webhooks call `task_id`."""
    for name in ("id", "task_id"):
        value = task.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def client_id(task: Mapping[str, Json]) -> str | None:
    """Return our own reference, where the task repeats it."""
    metadata = task.get("metadata")
    inner = metadata.get("client_business_id") if isinstance(metadata, Mapping) else None
    found = task.get("client_business_id") or inner
    return found if isinstance(found, str) else None


def status_word(task: Mapping[str, Json]) -> str | None:
    """Return a task's status in the provider's word, if it says any."""
    word = task.get("status")
    return word if isinstance(word, str) else None


def read_task(answer: Answer, task: Mapping[str, Json]) -> Report:
    """Return what a task says of itself; without a known status word it is running."""
    word = status_word(task)
    status = STATUSES.get((word or "").lower(), Status.RUNNING)
    progress, usage = task.get("progress"), task.get("usage")
    return Report(
        status=status,
        word=word,
        remote_id=task_id(task),
        outputs=outputs(task) if status is Status.SUCCEEDED else (),
        completed_at=_moment(task.get("completed_at", task.get("finished_at"))),
        expires_at=_moment(task.get("expires_at")),
        progress=progress if isinstance(progress, int) and not isinstance(progress, bool) else None,
        usage=usage if isinstance(usage, Mapping) else {},
        failure=task_failure(answer, task, status) if status in (Status.FAILED, Status.CANCELLED) else None,
        request_id=request_id(answer),
    )


def task_failure(answer: Answer, task: Mapping[str, Json], status: Status = Status.FAILED) -> Failure:
    """Return why a task failed, from `error` or `fail_reason`."""
    body = error_of(task)
    if not body.message:
        body = replace(body, message=f"the task is {status_word(task) or status}, and no reason is given")
    if status is Status.CANCELLED:
        return failure(answer, body, ErrorCode.TASK_CANCELLED)
    code = judged(body, _NO_STATUS, ERRORS)
    if code in (ErrorCode.GENERATION_FAILED, ErrorCode.SERVER_ERROR):
        # The upstream's own no stands only inside the text, e.g. "upstream status 422".
        moderated = _MODERATION.search(" ".join((status_word(task) or "", *body.words, body.message)))
        code = ErrorCode.REFUSED if moderated else ErrorCode.GENERATION_FAILED
    return failure(answer, body, code)


def outputs(task: Mapping[str, Json]) -> tuple[Output, ...]:
    """Return the images from the first place that has any (read order of providers.md 1.4)."""
    for place in _places(task):
        found = tuple(output for item in place for output in _outputs(item))
        if found:
            return found
    return ()


def _places(task: Mapping[str, Json]) -> Iterator[list[Json]]:
    result = task.get("result")
    inner = result if isinstance(result, Mapping) else {"data": result}
    yield from (_listed(inner.get(name)) for name in ("data", "images"))
    for name in ("data", "url", "output", "outputs", "images"):
        yield _listed(task.get(name))


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _outputs(item: Json) -> Iterator[Output]:
    if isinstance(item, str):
        item = {"url": item}
    if not isinstance(item, Mapping):
        return
    prompt = item.get("revised_prompt")
    revised = prompt if isinstance(prompt, str) else None
    for name in ("b64_json", "url"):
        # APIMart gives a list of URLs under this one name (providers.md G).
        values = [value for value in _listed(item.get(name)) if isinstance(value, str) and value]
        for value in values:
            inline = name == "b64_json" or value.startswith("data:")
            yield Output(base64=value, revised_prompt=revised) if inline else Output(url=value, revised_prompt=revised)
        if values:
            return


def _moment(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None

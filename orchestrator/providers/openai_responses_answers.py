"""What OpenAI's responses mean (providers.md 5.7): at once, asked for or streamed, they are one and the same object."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers import openai_errors
from orchestrator.providers.error_body import ErrorBody, error_of, failure, request_id
from orchestrator.providers.event_stream import is_stream
from orchestrator.providers.openai_responses_stream import assembled
from orchestrator.transport.messages import Answer, Unreadable, shown

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "queued": Status.RUNNING,
        "in_progress": Status.RUNNING,
        "completed": Status.SUCCEEDED,
        "failed": Status.FAILED,
        "incomplete": Status.FAILED,
        "cancelled": Status.CANCELLED,
    }
)
"""Status word -> its meaning; any other word is a response at work."""

ERRORS: Mapping[str, ErrorCode] = MappingProxyType(
    {
        **openai_errors.ERRORS,
        "invalid_prompt": ErrorCode.INVALID_REQUEST,
        "data_residency_mismatch": ErrorCode.INVALID_REQUEST,
        "bio_policy": ErrorCode.REFUSED,
        "misalignment_policy_violation": ErrorCode.REFUSED,
        "vector_store_timeout": ErrorCode.GENERATION_FAILED,
        "invalid_image": ErrorCode.INVALID_REQUEST,
        "invalid_image_format": ErrorCode.INVALID_REQUEST,
        "invalid_base64_image": ErrorCode.INVALID_REQUEST,
        "invalid_image_url": ErrorCode.INVALID_REQUEST,
        "invalid_image_mode": ErrorCode.INVALID_REQUEST,
        "image_too_large": ErrorCode.TOO_LARGE,
        "image_too_small": ErrorCode.INVALID_REQUEST,
        "image_parse_error": ErrorCode.INVALID_REQUEST,
        "image_file_too_large": ErrorCode.TOO_LARGE,
        "unsupported_image_media_type": ErrorCode.INVALID_REQUEST,
        "empty_image_file": ErrorCode.INVALID_REQUEST,
        "failed_to_download_image": ErrorCode.GENERATION_FAILED,
        "image_file_not_found": ErrorCode.INVALID_REQUEST,
        # Reasons of `incomplete_details`.
        "max_output_tokens": ErrorCode.GENERATION_FAILED,
        "content_filter": ErrorCode.REFUSED,
    }
)
"""Code of `response.error`, of an image call's own error, or reason of an incomplete response -> our code."""


def read_response(answer: Answer) -> Report:
    """Return how a response stands; raise `Unreadable` for anything else.

    An image that is there wins over how the response ended: it is paid for.
    """
    body = assembled(answer.body) if is_stream(answer) else answer.object()
    word, error = body.get("status"), body.get("error")
    if not isinstance(word, str) and not error:
        raise Unreadable(f"the answer is no response: {shown(answer.body)}")
    status = STATUSES.get(word, Status.RUNNING) if isinstance(word, str) else Status.FAILED
    images = () if status is Status.RUNNING else _images(body)
    if images:
        status = Status.SUCCEEDED
    elif status is Status.SUCCEEDED:
        status = Status.FAILED
    remote_id, completed = body.get("id"), body.get("completed_at")
    is_time = isinstance(completed, int | float) and completed > 0
    return Report(
        status=status,
        word=word if isinstance(word, str) else None,
        remote_id=remote_id if isinstance(remote_id, str) and remote_id else None,
        outputs=images,
        completed_at=float(completed or 0) if is_time else None,
        usage=_usage(body),
        failure=_failure(answer, body, status) if status in (Status.FAILED, Status.CANCELLED) else None,
        request_id=request_id(answer),
    )


def _items(body: Mapping[str, Json], kind: str) -> list[Mapping[str, Json]]:
    listed = body.get("output")
    items: Sequence[Json] = listed if isinstance(listed, list) else ()
    return [item for item in items if isinstance(item, Mapping) and item.get("type") == kind]


def _images(body: Mapping[str, Json]) -> tuple[Output, ...]:
    calls = _items(body, "image_generation_call")
    return tuple(
        Output(base64=call["result"], revised_prompt=_text_of(call, "revised_prompt"), remote_id=_text_of(call, "id"))
        for call in calls
        if isinstance(call.get("result"), str) and call["result"]
    )


def _text_of(call: Mapping[str, Json], name: str) -> str | None:
    return found if isinstance(found := call.get(name), str) else None


def _usage(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return the text model's tokens, with those of the tool beside them where the answer counts them apart."""
    usage, tools = body.get("usage"), body.get("tool_usage")
    known = dict(usage) if isinstance(usage, Mapping) else {}
    image = tools.get("image_gen") if isinstance(tools, Mapping) else None
    vector = next((call["svg_usage"] for call in _items(body, "image_generation_call") if call.get("svg_usage")), None)
    if isinstance(image, Mapping):
        known["image_gen"] = {**image, "svg_usage": vector} if vector else dict(image)
    return known


def _failure(answer: Answer, body: Mapping[str, Json], status: Status) -> Failure:
    said, refused = _text(body)
    if status is Status.CANCELLED:
        return failure(answer, ErrorBody(message=said or "the response was cancelled"), ErrorCode.TASK_CANCELLED)
    error = body.get("error") or next(
        (call["error"] for call in _items(body, "image_generation_call") if call.get("error")), None
    )
    if error:
        found = error_of(error if isinstance(error, Mapping) else {"error": error})
        code = next((ERRORS[name] for name in found.words if name in ERRORS), ErrorCode.GENERATION_FAILED)
        return failure(answer, found, code)
    details = body.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if isinstance(reason, str):
        message = said or f"the response is incomplete: {reason}"
        return failure(answer, ErrorBody(code=reason, message=message), ERRORS.get(reason, ErrorCode.GENERATION_FAILED))
    code = ErrorCode.REFUSED if refused else ErrorCode.NO_IMAGE
    return failure(answer, ErrorBody(message=said or f"the response is {body.get('status')} and holds no image"), code)


def _text(body: Mapping[str, Json]) -> tuple[str, bool]:
    """Return what the text model said instead of drawing, and whether it called that a refusal."""
    parts = [part for message in _items(body, "message") for part in message.get("content") or () if isinstance(part, Mapping)]
    refusals = [part["refusal"] for part in parts if isinstance(part.get("refusal"), str)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return " ".join(refusals or texts).strip(), bool(refusals)

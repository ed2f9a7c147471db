"""What OpenAI's image answers mean (providers.md 5.3): the images stand in the answer itself."""

from collections.abc import Mapping

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.error_body import request_id
from orchestrator.providers.event_stream import is_stream
from orchestrator.providers.openai_errors import embedded_failure
from orchestrator.providers.openai_streaming import assembled
from orchestrator.transport.messages import Answer, Unreadable, shown


def read_images(answer: Answer) -> Report:
    """Return the images of a 2xx answer, JSON or events, or why there are none; raise `Unreadable` for another shape."""
    body = assembled(answer.body) if is_stream(answer) else answer.object()
    if _is_error(body):
        return Report(status=Status.FAILED, failure=embedded_failure(answer, body), request_id=request_id(answer))
    items = body.get("data")
    if not isinstance(items, list):
        raise Unreadable(f"the answer holds no list of images: {shown(answer.body)}")
    images = images_in(items)
    if not images and any(isinstance(item, Mapping) and "task_id" in item for item in items):
        raise Unreadable(f"the answer is a task to ask for, not the image: {shown(answer.body)}")
    created, usage = body.get("created"), _usage(body)
    if not images:
        return Report(status=Status.FAILED, usage=usage, failure=_no_image(answer), request_id=request_id(answer))
    return Report(
        status=Status.SUCCEEDED,
        outputs=images,
        completed_at=float(created) if isinstance(created, int) and created > 0 else None,
        usage=usage,
        request_id=request_id(answer),
    )


def images_in(items: Json) -> tuple[Output, ...]:
    """Return the images in a list of items with `b64_json` or `url`; none for anything else."""
    listed = items if isinstance(items, list) else []
    return tuple(output for item in listed if isinstance(item, Mapping) and (output := _output(item)))


def _output(item: Mapping[str, Json]) -> Output | None:
    prompt = item.get("revised_prompt")
    revised = prompt if isinstance(prompt, str) else None
    content, url = item.get("b64_json"), item.get("url")
    # Bytes that are here cannot expire, so they come before a link to them.
    if isinstance(content, str) and content:
        return Output(base64=content, revised_prompt=revised)
    if not isinstance(url, str) or not url:
        return None
    return Output(base64=url, revised_prompt=revised) if url.startswith("data:") else Output(url=url, revised_prompt=revised)


def _usage(body: Mapping[str, Json]) -> Mapping[str, Json]:
    usage = body.get("usage")
    known = dict(usage) if isinstance(usage, Mapping) else {}
    return {**known, "svg_usage": body["svg_usage"]} if body.get("svg_usage") else known


def _is_error(body: Mapping[str, Json]) -> bool:
    """Whether a 2xx answer is a refusal all the same, in OpenAI's words or in TTAPI's (providers.md 2.1)."""
    return bool(body.get("error")) or (body.get("status") == "FAILED" and not body.get("data"))


def _no_image(answer: Answer) -> Failure:
    return Failure(
        code=ErrorCode.NO_IMAGE,
        message="the answer holds no image",
        http_status=answer.status,
        request_id=request_id(answer),
    )

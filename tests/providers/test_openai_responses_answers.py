"""What responses mean, at once, asked for or streamed: every status and error of providers.md 5.7."""

import json
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.openai_responses_answers import ERRORS, STATUSES
from orchestrator.transport.messages import Answer, Unreadable

from .making import answer, responses

CALL = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk=", "revised_prompt": "a fine mug"}


def response(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": status, "error": None, "output": []} | fields


def read(body: Any) -> Report:
    return responses().read_status(answer(body, x_request_id="req_1"))


def streamed(*events: tuple[str, dict[str, Any]], end: str = "") -> Answer:
    lines = [f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n" for kind, data in events]
    return answer(("".join(lines) + end).encode(), content_type="text/event-stream")


def read_stream(*events: tuple[str, dict[str, Any]], end: str = "") -> Report:
    return responses().read_submission(streamed(*events, end=end))


def said(text: str, kind: str = "output_text") -> dict[str, Any]:
    field = "refusal" if kind == "refusal" else "text"
    return {"type": "message", "role": "assistant", "content": [{"type": kind, field: text}]}


def test_the_statuses_are_those_of_the_document() -> None:
    assert set(STATUSES) == {"queued", "in_progress", "completed", "failed", "cancelled", "incomplete"}


def test_a_completed_response_is_its_image() -> None:
    tokens = {"input_tokens": 5, "output_tokens": 60}
    report = read(
        response(output=[CALL], usage=tokens, tool_usage={"image_gen": {"output_tokens": 1756}}, completed_at=1_700_000_000)
    )
    assert (report.status, report.word, report.remote_id, report.request_id) == (
        Status.SUCCEEDED,
        "completed",
        "resp_1",
        "req_1",
    )
    assert report.outputs == (Output(base64="aGk=", revised_prompt="a fine mug", remote_id="ig_1"),)
    assert report.usage == tokens | {"image_gen": {"output_tokens": 1756}}
    assert report.completed_at == 1_700_000_000


def test_several_images_are_all_kept() -> None:
    second = CALL | {"id": "ig_2", "result": "aG8=", "revised_prompt": None}
    assert [output.base64 for output in read(response(output=[said("two"), CALL, second])).outputs] == ["aGk=", "aG8="]


@pytest.mark.parametrize("word", ["queued", "in_progress", "upscaling"])
def test_a_response_at_work_is_running_even_if_its_image_shows_already(word: str) -> None:
    report = read(response(word, output=[CALL | {"status": "generating"}]))
    assert (report.status, report.word, report.outputs, report.failure) == (Status.RUNNING, word, (), None)


@pytest.mark.parametrize("word", ["failed", "incomplete", "cancelled"])
def test_an_image_that_is_there_wins_over_a_bad_end(word: str) -> None:
    report = read(response(word, output=[CALL], error={"code": "server_error", "message": "late"}))
    assert (report.status, len(report.outputs), report.failure) == (Status.SUCCEEDED, 1, None)


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ([], ErrorCode.NO_IMAGE, "the response is completed and holds no image"),
        ([CALL | {"result": None}], ErrorCode.NO_IMAGE, "the response is completed and holds no image"),
        ([CALL | {"result": ""}], ErrorCode.NO_IMAGE, "the response is completed and holds no image"),
        ([said("Which mug do you mean?")], ErrorCode.NO_IMAGE, "Which mug do you mean?"),
        ([said("I cannot draw that.", "refusal")], ErrorCode.REFUSED, "I cannot draw that."),
        (
            [CALL | {"result": None, "status": "failed", "error": {"code": "moderation_blocked", "message": "not this one"}}],
            ErrorCode.REFUSED,
            "not this one",
        ),
    ],
)
def test_a_completed_response_without_an_image_failed_and_says_why(output: list[Any], code: ErrorCode, message: str) -> None:
    report = read(response(output=output))
    assert report.failure is not None
    assert (report.status, report.failure.code, report.failure.message) == (Status.FAILED, code, message)


CODES = {
    "server_error": ErrorCode.SERVER_ERROR,
    "rate_limit_exceeded": ErrorCode.THROTTLED,
    "invalid_prompt": ErrorCode.INVALID_REQUEST,
    "data_residency_mismatch": ErrorCode.INVALID_REQUEST,
    "bio_policy": ErrorCode.REFUSED,
    "vector_store_timeout": ErrorCode.GENERATION_FAILED,
    "invalid_image": ErrorCode.INVALID_REQUEST,
    "invalid_image_format": ErrorCode.INVALID_REQUEST,
    "invalid_base64_image": ErrorCode.INVALID_REQUEST,
    "invalid_image_url": ErrorCode.INVALID_REQUEST,
    "invalid_image_mode": ErrorCode.INVALID_REQUEST,
    "image_too_large": ErrorCode.TOO_LARGE,
    "image_too_small": ErrorCode.INVALID_REQUEST,
    "image_parse_error": ErrorCode.INVALID_REQUEST,
    "image_content_policy_violation": ErrorCode.REFUSED,
    "image_file_too_large": ErrorCode.TOO_LARGE,
    "unsupported_image_media_type": ErrorCode.INVALID_REQUEST,
    "empty_image_file": ErrorCode.INVALID_REQUEST,
    "failed_to_download_image": ErrorCode.GENERATION_FAILED,
    "image_file_not_found": ErrorCode.INVALID_REQUEST,
    "something_new": ErrorCode.GENERATION_FAILED,
}


@pytest.mark.parametrize(("word", "code"), CODES.items())
def test_each_error_of_a_failed_response_has_its_code(word: str, code: ErrorCode) -> None:
    report = read(response("failed", error={"code": word, "message": "because"}))
    assert report.failure is not None
    assert (report.status, report.failure.code, report.failure.provider_code, report.failure.message) == (
        Status.FAILED,
        code,
        word,
        "because",
    )
    assert word == "something_new" or word in ERRORS


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("max_output_tokens", ErrorCode.GENERATION_FAILED),
        ("content_filter", ErrorCode.REFUSED),
        ("other", ErrorCode.GENERATION_FAILED),
    ],
)
def test_an_incomplete_response_failed_for_its_reason(reason: str, code: ErrorCode) -> None:
    failure = read(response("incomplete", incomplete_details={"reason": reason})).failure
    assert failure is not None
    assert (failure.code, failure.provider_code) == (code, reason)
    assert failure.message == f"the response is incomplete: {reason}"


def test_a_cancelled_response_is_cancelled() -> None:
    report = responses().read_cancel(answer(response("cancelled")))
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.CANCELLED, ErrorCode.TASK_CANCELLED)


def test_an_error_with_status_200_is_a_failure() -> None:
    report = read({"error": {"message": "no", "code": "moderation_blocked"}})
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.FAILED, ErrorCode.REFUSED)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"id":"resp_1"}', b'{"data":[]}', b'{"id":"resp_1","status":"que']
)
def test_anything_else_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_refusals_by_http_status_are_read_as_those_of_the_image_endpoints() -> None:
    body = {
        "error": {
            "message": "Previous response not found.",
            "type": "invalid_request_error",
            "code": "previous_response_not_found",
        }
    }
    failure = responses().read_failure(answer(body, status=400))
    assert (failure.code, failure.provider_code) == (ErrorCode.INVALID_REQUEST, "previous_response_not_found")
    limited = responses().read_failure(answer({"error": {"message": "slow", "code": "slow_down"}}, status=429))
    assert limited.code is ErrorCode.THROTTLED


CREATED = ("response.created", {"response": response("in_progress")})
PARTIAL = {"item_id": "ig_1", "output_index": 0, "partial_image_index": 0, "partial_image_b64": "cA=="}
PREVIEW = ("response.image_generation_call.partial_image", PARTIAL)
ITEM = ("response.output_item.done", {"output_index": 0, "item": CALL})
COMPLETED = ("response.completed", {"response": response(output=[CALL], usage={"output_tokens": 3})})


def test_a_whole_stream_is_the_response_at_its_end() -> None:
    report = read_stream(CREATED, PREVIEW, ITEM, COMPLETED, end="data: [DONE]\n\n")
    assert (report.status, report.remote_id, report.usage) == (Status.SUCCEEDED, "resp_1", {"output_tokens": 3})
    assert [output.base64 for output in report.outputs] == ["aGk="]


def test_the_bytes_may_stand_in_the_items_event_alone() -> None:
    bare = ("response.completed", {"response": response(output=[CALL | {"result": None}])})
    assert [output.base64 for output in read_stream(CREATED, ITEM, bare).outputs] == ["aGk="]
    nothing = ("response.completed", {"response": response(output=[])})
    assert [output.base64 for output in read_stream(CREATED, ITEM, nothing).outputs] == ["aGk="]


def test_a_stream_that_broke_off_after_its_image_is_delivered() -> None:
    report = read_stream(CREATED, ITEM, end='event: response.completed\ndata: {"type":"response.comp')
    assert (report.status, report.remote_id, len(report.outputs)) == (Status.SUCCEEDED, "resp_1", 1)


def test_a_stream_that_broke_off_before_its_image_is_a_response_to_ask_for() -> None:
    report = read_stream(CREATED, PREVIEW, end='event: response.output_item.done\ndata: {"item":{"type":"image_gen')
    assert (report.status, report.remote_id, report.outputs) == (Status.RUNNING, "resp_1", ())


@pytest.mark.parametrize("events", [(), (PREVIEW,)])
def test_a_stream_without_even_an_id_is_unreadable(events: tuple[Any, ...]) -> None:
    with pytest.raises(Unreadable, match="before it told of a response"):
        read_stream(*events, end=": keep alive\n\n")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (("error", {"code": "server_error", "message": "no", "param": None}), ErrorCode.SERVER_ERROR),
        (("error", {"error": {"code": "moderation_blocked", "message": "no"}}), ErrorCode.REFUSED),
        (
            ("response.failed", {"response": response("failed", error={"code": "invalid_prompt", "message": "no"})}),
            ErrorCode.INVALID_REQUEST,
        ),
        (
            ("response.incomplete", {"response": response("incomplete", incomplete_details={"reason": "content_filter"})}),
            ErrorCode.REFUSED,
        ),
    ],
)
def test_a_stream_that_ends_badly_is_a_failure(event: tuple[str, dict[str, Any]], code: ErrorCode) -> None:
    report = read_stream(CREATED, event)
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.FAILED, code)


def test_partial_images_are_found_as_they_come() -> None:
    second = ("response.image_generation_call.partial_image", PARTIAL | {"partial_image_index": 1, "partial_image_b64": "cQ=="})
    other = ("response.image_generation_call.partial_image", PARTIAL | {"item_id": "ig_2", "partial_image_b64": "cg=="})
    whole = streamed(CREATED, PREVIEW, second, other, ITEM).body
    found = responses().previews(whole)
    assert [(preview.base64, preview.index, preview.number) for preview in found] == [
        ("cA==", 0, 0),
        ("cQ==", 0, 1),
        ("cg==", 1, 0),
    ]
    for length in range(len(whole)):
        assert found[: len(responses().previews(whole[:length]))] == responses().previews(whole[:length])

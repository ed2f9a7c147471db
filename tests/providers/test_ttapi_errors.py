from typing import Any

import pytest

from orchestrator.jobs.failures import Action, ErrorCode, judge_submission
from orchestrator.transport.messages import Answer

from .making import answer, sample
from .relays import TTAPI, adapter

WRONG_KEY = "Wrong TT-API-KEY or email is not activated."
HTML = b"<!doctype html><html><head><title>504 Gateway Time-out</title></head><body>cloudflare</body></html>"

ROWS: list[tuple[int, Any, ErrorCode, Action]] = [
    (400, "bad request", ErrorCode.INVALID_REQUEST, Action.FAIL),
    (400, "", ErrorCode.INVALID_REQUEST, Action.FAIL),
    (400, "rejected by our safety system", ErrorCode.REFUSED, Action.FAIL),
    (400, "Insufficient balance", ErrorCode.QUOTA, Action.PAUSE),
    (401, WRONG_KEY, ErrorCode.BAD_KEY, Action.PAUSE),
    (403, WRONG_KEY, ErrorCode.BAD_KEY, Action.PAUSE),
    (402, "balance", ErrorCode.QUOTA, Action.PAUSE),
    (402, "", ErrorCode.QUOTA, Action.PAUSE),
    (404, "not found", ErrorCode.NOT_FOUND, Action.FAIL),
    (429, "too many requests", ErrorCode.THROTTLED, Action.THROTTLE),
    (429, "your balance is used up", ErrorCode.QUOTA, Action.PAUSE),
    (499, "queue exhausted", ErrorCode.THROTTLED, Action.THROTTLE),
    (499, "", ErrorCode.THROTTLED, Action.THROTTLE),
    (500, "server error", ErrorCode.SERVER_ERROR, Action.HOLD),
    (504, "gateway", ErrorCode.GATEWAY_ERROR, Action.HOLD),
]


def envelope(message: str, status: int) -> Answer:
    return answer({"status": "FAILED", "message": message, "data": None}, status=status)


def openais(message: str, status: int) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return answer({"error": error}, status=status)


@pytest.mark.parametrize("identifier", TTAPI)
@pytest.mark.parametrize("shape", [envelope, openais])
@pytest.mark.parametrize(("status", "message", "code", "action"), ROWS)
def test_every_documented_status_has_its_meaning_in_both_shapes(
    identifier: str, shape: Any, status: int, message: str, code: ErrorCode, action: Action
) -> None:
    failure = adapter(identifier).read_failure(shape(message, status))
    assert (failure.code, failure.http_status) == (code, status)
    assert failure.message == (message or f"HTTP {status} without a message")
    assert judge_submission(status, failure).action is action


@pytest.mark.parametrize("identifier", TTAPI)
@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, {"code": "moderation_blocked", "type": "image_generation_user_error", "message": "no"}, ErrorCode.REFUSED),
        (400, {"code": "content_policy_violation", "message": "no"}, ErrorCode.REFUSED),
        (404, {"code": "model_not_found", "message": "gone"}, ErrorCode.INVALID_REQUEST),
        (401, {"code": "invalid_api_key", "message": "key"}, ErrorCode.BAD_KEY),
        (429, {"code": "rate_limit_exceeded", "message": "slower"}, ErrorCode.THROTTLED),
        (429, {"type": "insufficient_quota", "message": "empty"}, ErrorCode.QUOTA),
        (503, {"code": "server_is_overloaded", "message": "slower"}, ErrorCode.UNAVAILABLE),
    ],
)
def test_openais_own_codes_pass_through_the_gateway(identifier: str, status: int, error: dict[str, Any], code: ErrorCode) -> None:
    assert adapter(identifier).read_failure(answer({"error": error}, status=status)).code is code


@pytest.mark.parametrize("identifier", TTAPI)
@pytest.mark.parametrize("body", [HTML, b"", b"\xff\xfe", b"[]", b"null", b'"gateway"', b'{"status":"FAILED"}'])
def test_a_page_or_nothing_instead_of_json_is_read_all_the_same(identifier: str, body: bytes) -> None:
    failure = adapter(identifier).read_failure(answer(body, status=504))
    assert (failure.code, failure.http_status) == (ErrorCode.GATEWAY_ERROR, 504)
    assert failure.message
    if body == HTML:
        assert failure.message == "504 Gateway Time-out"


def test_the_guides_empty_refusal_is_read() -> None:
    failure = adapter("ttapi-4o").read_failure(answer(sample("ttapi_4o_refusal.json"), status=400))
    assert (failure.code, failure.message) == (ErrorCode.INVALID_REQUEST, "HTTP 400 without a message")

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs.failures import ErrorCode
from orchestrator.providers.error_body import again_in
from orchestrator.transport.messages import Answer

from .making import answer, edits, images, toapis

ROWS: list[tuple[int, str | None, str | None, ErrorCode]] = [
    (400, "invalid_value", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (400, "unknown_parameter", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (400, "model_not_found", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (404, "model_not_found", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (404, None, "invalid_request_error", ErrorCode.NOT_FOUND),
    (404, "image_file_not_found", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (400, "previous_response_not_found", "invalid_request_error", ErrorCode.INVALID_REQUEST),
    (400, "moderation_blocked", "image_generation_user_error", ErrorCode.REFUSED),
    (400, None, "image_generation_user_error", ErrorCode.REFUSED),
    (400, "content_policy_violation", None, ErrorCode.REFUSED),
    (400, "image_content_policy_violation", None, ErrorCode.REFUSED),
    (400, "billing_hard_limit_reached", None, ErrorCode.QUOTA),
    (401, "invalid_api_key", "invalid_request_error", ErrorCode.BAD_KEY),
    (401, None, "invalid_request_error", ErrorCode.BAD_KEY),
    (403, None, "invalid_request_error", ErrorCode.NO_ACCESS),
    (403, "unsupported_country_region_territory", "request_forbidden", ErrorCode.BAD_KEY),
    (403, "account_deactivated", None, ErrorCode.BAD_KEY),
    (429, "rate_limit_exceeded", "requests", ErrorCode.THROTTLED),
    (429, "slow_down", None, ErrorCode.THROTTLED),
    (429, None, None, ErrorCode.THROTTLED),
    (429, "insufficient_quota", "insufficient_quota", ErrorCode.QUOTA),
    (429, None, "insufficient_quota", ErrorCode.QUOTA),
    (429, "credit_balance_exhausted", "insufficient_quota", ErrorCode.QUOTA),
    (429, "organization_spend_limit_exceeded", "insufficient_quota", ErrorCode.QUOTA),
    (429, "project_spend_limit_exceeded", "insufficient_quota", ErrorCode.QUOTA),
    (429, "organization_usage_limit_exceeded", "insufficient_quota", ErrorCode.QUOTA),
    (500, "server_error", "server_error", ErrorCode.SERVER_ERROR),
    (503, "server_is_overloaded", None, ErrorCode.UNAVAILABLE),
    (503, None, "slow_down", ErrorCode.THROTTLED),
]


@pytest.mark.parametrize(("status", "code", "kind", "ours"), ROWS)
def test_every_documented_error_of_openai_has_its_code(status: int, code: str | None, kind: str | None, ours: ErrorCode) -> None:
    error = {"message": "words", "type": kind, "param": None, "code": code}
    for adapter in (images(), edits()):
        failure = adapter.read_failure(answer({"error": error}, status=status, x_request_id="req_7"))
        assert (failure.code, failure.message, failure.http_status, failure.request_id) == (ours, "words", status, "req_7")
        assert failure.provider_code == (code or kind)


def test_a_file_that_is_gone_is_recognised_by_the_words_alone() -> None:
    error = {"message": "No such File object: file-1", "type": "invalid_request_error", "code": None}
    failure = edits().read_failure(answer({"error": error}, status=404))
    assert (failure.code, failure.provider_code) == (ErrorCode.INVALID_REQUEST, "image_file_not_found")
    assert edits().forgotten[str(failure.provider_code)] is ErrorCode.UPLOAD_FORGOTTEN


def test_an_unknown_model_is_answered_with_its_successor() -> None:
    message = "The model `gpt-image-1-mini` does not exist."
    failure = images().read_failure(answer({"error": {"message": message, "code": "model_not_found"}}, status=404))
    assert failure.message == f"{message} - gpt-image-1-mini is retired; use gpt-image-2"
    other = images().read_failure(
        answer({"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}}, status=404)
    )
    assert other.message == "The model `x` does not exist."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 500 without a message"),
        (b"   \n", "HTTP 500 without a message"),
        (b"upstream  timed\nout", "upstream timed out"),
        (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
        (b"<p>Too &amp; many</p>", "Too & many"),
        (b'{"status":"FAILED","message":"Wrong TT-API-KEY","data":null}', "Wrong TT-API-KEY"),
        (b'{"status":"FAILED","message":"","data":null}', "HTTP 500 without a message"),
        (b'{"detail":"not found"}', "not found"),
        (b'{"error":"plain words"}', "plain words"),
        (b'{"error":{"message":null}}', "HTTP 500 without a message"),
        (b'{"message":"a <b and c> d"}', "a <b and c> d"),
        (b'"just text"', "just text"),
        (b"[1,2]", "HTTP 500 without a message"),
        (b"\xff\xfe\x00bad", "\ufffd\ufffdbad"),
        (b'{"message":"a\\u0007b\\u001b[31m"}', "ab[31m"),
    ],
)
def test_a_failure_is_read_from_any_body(body: bytes, message: str) -> None:
    assert images().read_failure(answer(body, status=500)).message == message


def test_a_long_message_is_cut() -> None:
    failure = images().read_failure(answer({"error": {"message": "x" * 5000}}, status=500))
    assert failure.message == "x" * 300 + "..."


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 51.84s. Visit", 51.84),
        ("try again in 120ms", 0.12),
        ("Please try again in 6m0.5s", 360.5),
        ("Try again in 20 seconds", 20.0),
        ("try again in 1h2m3s.", 3723.0),
        ("Your rate limit resets in ~30s.", 30.0),
        ("try again later", None),
        ("try again in a while", None),
        ("in 20s", None),
    ],
)
def test_a_wait_that_only_the_text_names_is_read(message: str, seconds: float | None) -> None:
    assert again_in(message) == seconds
    failure = toapis().read_failure(answer({"error": {"message": message}}, status=429))
    assert failure.retry_after == seconds


STEADY = settings(derandomize=True, deadline=None, database=None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "x"]), inner)
    ),
    max_leaves=8,
)


@STEADY
@given(value=json_values, status=st.integers(300, 599))
def test_no_json_makes_reading_a_failure_fail(value: Any, status: int) -> None:
    for adapter in (toapis(), images()):
        assert adapter.read_failure(answer(value, status=status)).message


@STEADY
@given(body=st.binary(max_size=300), status=st.integers(300, 599))
def test_no_bytes_make_reading_a_failure_fail(body: bytes, status: int) -> None:
    for adapter in (toapis(), edits()):
        assert adapter.read_failure(Answer(status=status, headers={}, body=body)).message


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"<" * 100_000, b'{"code":' + b"9" * 5000 + b"}", b"try again in " + b"1s" * 5000]
)
def test_hostile_bodies_are_read_quickly_and_without_harm(body: bytes) -> None:
    assert images().read_failure(answer(body, status=500)).message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.limits import Complaint, Subject, complaint, requests_per_minute

OPENAI = "Rate limit reached for gpt-image-2 in organization org-x on images per min (IPM): Limit 5, Used 5, Requested 1."


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({"x-ratelimit-limit-requests": "500"}, 500),
        ({"x-ratelimit-limit": "300", "x-ratelimit-category": "async_submit"}, 300),
        ({"x-ratelimit-limit": "3000", "x-ratelimit-category": "async_query"}, None),
        ({"x-ratelimit-limit-requests": "0"}, None),
        ({"x-ratelimit-limit-requests": "many"}, None),
        ({"x-ratelimit-limit-requests": "99999999999999999999"}, None),
        ({}, None),
    ],
)
def test_announced_limits_of_paid_requests_are_read(headers: dict[str, str], limit: int | None) -> None:
    assert requests_per_minute(headers) == limit


@pytest.mark.parametrize(
    ("message", "headers", "expected"),
    [
        (OPENAI, {}, Complaint(subject=Subject.IMAGES, limit=5)),
        ("Limit: 3 requests per min", {}, Complaint(subject=Subject.REQUESTS, limit=3)),
        ("too many concurrent requests, limit 3 requests per minute", {}, Complaint(subject=Subject.AT_ONCE)),
        ("slow down", {"x-ratelimit-remaining-requests": "17"}, Complaint(subject=Subject.IMAGES)),
        ("slow down", {"x-ratelimit-remaining-requests": "0"}, Complaint(subject=Subject.REQUESTS)),
        ("slow down", {}, Complaint()),
    ],
)
def test_a_refusal_tells_which_limit_was_hit(message: str, headers: dict[str, str], expected: Complaint) -> None:
    assert complaint(message, headers) == expected


@given(st.text(), st.dictionaries(st.sampled_from(["x-ratelimit-limit", "x-ratelimit-remaining"]), st.text()))
def test_nothing_is_too_odd_to_be_read(message: str, headers: dict[str, str]) -> None:
    complaint(message, headers)
    limit = requests_per_minute(headers)
    assert limit is None or limit > 0

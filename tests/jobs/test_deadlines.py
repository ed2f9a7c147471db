from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.deadlines import deadline, signed_expiry, text_of

SEED_001 = (
    "https://dalleprodaue.blob.core.windows.net/private/images/cbb4adae/generated_00.png?se=2024-04-21T01%3A48%3A14Z"
    "&sig=th9fuLXfJVtLUOWu%2BfkJk1aY8abDZTDe7aIWJ1QzLkY%3D&ske=2024-04-26T13%3A43%3A10Z&skoid=f4f58869&sks=b"
    "&skt=2024-04-19T13%3A43%3A10Z&sktid=33e01921&skv=2020-10-02&sp=r&spr=https&sr=b&sv=2020-10-02"
)
SE = datetime(2024, 4, 21, 1, 48, 14, tzinfo=UTC).timestamp()
CREATED = 1713577682.0


def test_the_link_of_the_documents_dies_at_se_and_not_at_ske() -> None:
    assert signed_expiry(SEED_001) == SE


@pytest.mark.parametrize(
    ("url", "expiry"),
    [
        ("https://b.s3.amazonaws.com/x.png?X-Amz-Date=20240421T014814Z&X-Amz-Expires=3600&X-Amz-Signature=a", SE + 3600),
        ("https://storage.googleapis.com/b/x.png?X-Goog-Date=20240421T014814Z&X-Goog-Expires=60&X-Goog-Signature=a", SE + 60),
        ("https://d1.cloudfront.net/x.png?Expires=1713664094&Signature=a&Key-Pair-Id=b", 1713664094.0),
        ("https://b.s3.amazonaws.com/x.png?AWSAccessKeyId=a&Expires=1713664094&Signature=b", 1713664094.0),
        ("https://files.example.com/x.png", None),
        ("https://files.example.com/x.png?se=2024-04-21", None),
        ("https://files.example.com/x.png?ske=2024-04-26T13:43:10Z&sig=a", None),
        ("https://files.example.com/x.png?se=soon&sig=a", None),
        ("https://files.example.com/x.png?X-Amz-Date=20240421T014814Z", None),
    ],
)
def test_an_expiry_is_read_where_a_signature_says_one(url: str, expiry: float | None) -> None:
    assert signed_expiry(url) == expiry


@given(st.text())
def test_no_query_is_too_odd_to_be_asked(text: str) -> None:
    assert signed_expiry(f"https://example.com/x.png?{text}") is None


def test_the_earliest_of_all_that_is_known_counts() -> None:
    assert deadline(since=CREATED, url=SEED_001, stated=None, url_lifetime=3600, trust_stated=False) == CREATED + 3600
    assert deadline(since=CREATED, url=SEED_001, stated=None, url_lifetime=10**6, trust_stated=False) == SE
    assert deadline(since=CREATED, url=SEED_001, stated=SE - 5, url_lifetime=10**6, trust_stated=False) == SE - 5


def test_a_trusted_expiry_counts_alone() -> None:
    day = CREATED + 86_400
    assert deadline(since=CREATED, url="https://x.example/y", stated=day, url_lifetime=3600, trust_stated=True) == day
    assert deadline(since=CREATED, url="https://x.example/y", stated=day, url_lifetime=3600, trust_stated=False) == CREATED + 3600


def test_times_are_written_as_utc() -> None:
    assert text_of(1713577682.25) == "2024-04-20T01:48:02.250Z"

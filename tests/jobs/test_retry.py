from email.utils import formatdate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.retry import JITTER, LONGEST_STEP, STEPS, advised_wait, poll_interval, wait_after

NOW = 1_700_000_000.0


@given(st.integers(0, 2**32), st.integers(1, 50))
def test_a_wait_is_its_step_stretched_and_never_shortened(seed: int, streak: int) -> None:
    step = STEPS[min(streak, len(STEPS)) - 1]
    assert step <= wait_after(streak, Random(seed)) <= step * JITTER


def test_the_steps_double_from_one_second_to_a_minute() -> None:
    assert STEPS[:7] == (1, 2, 4, 8, 16, 32, LONGEST_STEP)


@given(st.integers(0, 2**32), st.integers(1, 10), st.floats(0, 100_000))
def test_a_provider_that_asks_for_a_wait_gets_at_least_that(seed: int, streak: int, advised: float) -> None:
    assert wait_after(streak, Random(seed), advised) >= advised


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "soon", "retry-after": "4"}, 4.0),
        ({}, None),
    ],
)
def test_the_advice_of_a_provider_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert advised_wait(headers, NOW) == seconds


@given(st.text())
def test_no_header_is_too_odd_to_be_read(text: str) -> None:
    advised = advised_wait({"retry-after": text}, NOW)
    assert advised is None or advised >= 0


@given(st.integers(0, 2**32), st.integers(0, 1000))
def test_polls_grow_apart_up_to_the_longest(seed: int, polls: int) -> None:
    interval = poll_interval(polls, first=2.0, longest=10.0, random=Random(seed))
    assert 2.0 * 0.85 <= interval <= 10.0 * 1.15

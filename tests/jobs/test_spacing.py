from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.spacing import BURST, MOST, Spacing


@given(st.integers(1, 6000), st.lists(st.floats(0, 5), min_size=2, max_size=60))
def test_requests_of_a_stated_limit_keep_their_gaps(per_minute: int, pauses: list[float]) -> None:
    spacing, now, moments = Spacing(per_minute), 0.0, []
    for pause in pauses:
        now += pause
        moments.append(spacing.moment(now))
        assert moments[-1] >= now
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 60.0 / per_minute - 1e-6


def test_without_a_limit_a_crowd_goes_in_line_and_a_few_at_once() -> None:
    spacing = Spacing(None)
    moments = [spacing.moment(0.0) for _ in range(2000)]
    assert BURST <= moments.count(0.0) <= BURST + 1
    assert moments[-1] >= (2000 - BURST - 2) * 60.0 / MOST


def test_a_refusal_halves_the_pace_once_and_calm_brings_it_back() -> None:
    spacing = Spacing(60)
    spacing.refused(100.0)
    spacing.refused(100.5)
    assert spacing.gap == 2.0
    for step in range(1, 30):
        spacing.moment(100.0 + 11 * step)
    assert spacing.gap == 1.0


def test_without_a_limit_a_refusal_halves_the_pace_that_was_kept() -> None:
    spacing = Spacing(None)
    for number in range(200):
        spacing.moment(number * 0.5)
    spacing.refused(100.0)
    assert 0.9 <= spacing.gap <= 1.1


def test_an_announced_limit_is_kept() -> None:
    spacing = Spacing(None)
    spacing.limit_to(120)
    assert spacing.moment(0.0) == 0.0
    assert spacing.moment(0.0) == 0.5

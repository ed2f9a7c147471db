from collections.abc import Sequence
from itertools import cycle, islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs.meter import Learned, Meter
from orchestrator.jobs.recent import MARGIN, WINDOW
from orchestrator.jobs.retry import wait_after

from .limiters import KINDS, Bucket, Counting, Course, FixedWindow, SlidingWindow, ideal

TRAVEL = 0.05
"""Seconds from sending to being counted."""
FEW = [1 + number % 4 for number in range(30)]
MANY = [1] * 600


def course(meter: Meter, provider: Counting, jobs: Sequence[int]) -> Course:
    """Send jobs as the engine does: behind a gate after refusals, smaller ones before one that has to wait."""
    found, left, random = Course(), list(jobs), Random(5)
    now, streak = 0.0, 0
    while left:
        chosen, wait = 0, meter.wait(left[0], now)
        if wait > 0:
            spare = meter.spare(left[0], now)
            chosen = max((i for i, units in enumerate(left[:64]) if units <= spare), key=lambda i: (left[i], -i), default=-1)
        if chosen < 0:
            now += wait
            continue
        units = left[chosen]
        meter.reserve(units)
        meter.sent(units, now)
        if provider.takes(units, now + TRAVEL):
            meter.accepted()
            found.taken.append((now, units))
            del left[chosen]
            streak = 0
        else:
            streak += 1
            found.refusals.append(now)
            meter.refused(units, now + TRAVEL)
            now += TRAVEL + wait_after(streak, random)
        meter.answered(units)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("limit", "jobs"), [(5, FEW), (150, MANY)], ids=["5 a minute", "150 a minute"])
def test_a_stated_limit_is_used_to_the_full_and_hit_in_the_first_minute_only(kind: str, limit: int, jobs: list[int]) -> None:
    found = course(Meter(limit), KINDS[kind](limit), jobs)
    assert [at for at in found.refusals if at > WINDOW] == []
    assert len(found.refusals) <= 1
    assert ideal(KINDS[kind](limit), jobs) / found.seconds >= 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("limit", "jobs"), [(5, FEW * 3), (150, MANY * 2)], ids=["5 a minute", "150 a minute"])
def test_a_limit_that_nobody_states_is_found_within_three_windows(kind: str, limit: int, jobs: list[int]) -> None:
    found = course(Meter(None), KINDS[kind](limit), jobs)
    stated = course(Meter(limit), KINDS[kind](limit), jobs)
    assert found.rate(since=3 * WINDOW) >= 0.9 * stated.rate(since=3 * WINDOW)
    assert len([at for at in found.refusals if at > 3 * WINDOW]) <= found.seconds / (3 * WINDOW)


def test_a_bucket_smaller_than_its_minute_refuses_once_and_is_then_known() -> None:
    meter = Meter(150)
    found = course(meter, Bucket(150, 25), MANY)
    assert len(found.refusals) == 1
    assert meter.learned.burst == pytest.approx(25, abs=1)
    assert ideal(Bucket(150, 25), MANY) / found.seconds >= 0.95


def test_a_limit_that_was_stated_too_high_is_found_out() -> None:
    found = course(Meter(450), Bucket(150, 25), MANY)
    assert found.rate(since=WINDOW) >= 0.9 * 150


def test_what_was_learned_spares_the_next_process_the_first_refusal() -> None:
    meter = Meter(5)
    course(meter, SlidingWindow(5), FEW)
    assert course(Meter(5, meter.learned), SlidingWindow(5), FEW).refusals == []


def test_what_an_earlier_process_sent_is_counted() -> None:
    meter = Meter(5, Learned(windowed=True))
    meter.remember([(-40.0, 3), (-10.0, 2)])
    assert meter.wait(1, 0.0) == pytest.approx(20 + WINDOW * MARGIN)
    assert meter.wait(4, 0.0) == pytest.approx(50 + WINDOW * MARGIN)


def test_a_reservation_takes_its_room_and_gives_it_back() -> None:
    meter = Meter(4)
    meter.reserve(4)
    assert meter.wait(1, 0.0) > 0
    meter.cancel(4)
    assert meter.wait(4, 0.0) == 0


def test_two_reservations_do_not_share_the_room_of_one() -> None:
    meter = Meter(5, Learned(windowed=True))
    meter.reserve(4)
    assert meter.wait(4, 0.0) > 0
    assert meter.wait(1, 0.0) == 0
    assert meter.spare(4, 0.0) == 0


def test_a_request_is_counted_from_when_it_leaves_however_long_it_was_prepared() -> None:
    meter = Meter(4, Learned(windowed=True))
    meter.reserve(4)
    meter.sent(4, 30.0)
    assert meter.wait(1, 59.0) == pytest.approx(31 + WINDOW * MARGIN)


def test_smaller_jobs_use_what_a_larger_one_has_to_leave_and_do_not_delay_it() -> None:
    meter = Meter(5, Learned(windowed=True))
    meter.remember([(0.0, 3)])
    assert meter.spare(4, 10.0) == 1
    before = meter.wait(4, 10.0)
    meter.reserve(1)
    meter.sent(1, 10.0)
    assert meter.wait(4, 10.0) == before
    assert meter.spare(4, 10.0) == 0


def test_the_gap_of_a_window_is_what_is_left_of_one_that_has_begun() -> None:
    meter = Meter(5, Learned(windowed=True))
    assert meter.gap(0.0) == 0
    meter.remember([(0.0, 2)])
    meter.reserve(1)
    assert meter.gap(10.0) == 2
    assert Meter(5).gap(0.0) == 0, "an evenly filled bucket has no windows"


def test_a_request_larger_than_the_limit_waits_only_until_nothing_else_is_counted() -> None:
    assert Meter(3).wait(5, 0.0) == 0


def test_a_first_burst_of_which_most_is_refused_does_not_pass_for_what_is_allowed() -> None:
    meter = Meter(None)
    for _ in range(60):
        meter.reserve(1)
        meter.sent(1, 0.0)
    for _ in range(55):
        meter.returned(1)
        meter.answered(1)
    for _ in range(5):
        meter.accepted()
        meter.answered(1)
    for at in (1.0, 4.0):
        meter.reserve(1)
        meter.sent(1, at)
        meter.refused(1, at)
        meter.answered(1)
    assert meter.limit == 5


class Moody:
    """Refuses every third request, at whatever pace they come."""

    def __init__(self) -> None:
        self._asked = 0

    def takes(self, units: int, now: float) -> bool:
        del units, now
        self._asked += 1
        return self._asked % 3 != 0


def test_refusals_that_have_nothing_to_do_with_the_pace_do_not_slow_it_down_for_good() -> None:
    found = course(Meter(None), Moody(), [1] * 500)
    assert found.seconds <= 500 * 1.3


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 12),
    phase=st.floats(0, 60),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=25),
    kind=st.sampled_from(["bucket", "fixed", "sliding"]),
)
def test_whoever_counts_in_windows_of_any_phase_is_never_refused_twice(
    limit: int, phase: float, sizes: list[int], kind: str
) -> None:
    """Once it is known that windows are counted, no window gets more than the limit, and no bucket of a minute is overdrawn."""
    jobs = [min(units, limit) for units in sizes]
    providers: dict[str, Counting] = {
        "bucket": Bucket(limit),
        "fixed": FixedWindow(limit, phase),
        "sliding": SlidingWindow(limit),
    }
    assert course(Meter(limit, Learned(windowed=True)), providers[kind], jobs).refusals == []


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 10), st.lists(st.integers(1, 4), min_size=5, max_size=40))
def test_nobody_is_passed_for_ever(limit: int, sizes: list[int]) -> None:
    """A stream of small jobs never makes a large one wait longer than until its first window is free."""
    meter, small = Meter(limit, Learned(windowed=True)), islice(cycle([1]), 500)
    found = course(meter, SlidingWindow(limit), [*sizes, 4, *small])
    fours = [at for at, units in found.taken if units == 4]
    before = sum(sizes) / limit
    assert fours[-1] <= (2 * before + 2) * WINDOW

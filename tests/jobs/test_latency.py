from math import exp
from random import Random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.latency import FADING, Latency, announced_end

MEDIAN, SIGMA = 20.0, 0.5


def learned(random: Random, tasks: int = 400) -> Latency:
    """Return what is known after tasks that were looked at every two seconds."""
    latency = Latency()
    for _ in range(tasks):
        took, age = MEDIAN * exp(random.gauss(0, SIGMA)), 0.0
        while age + 2 < took:
            latency.still_running(age, age + 2)
            age += 2
        latency.finished(age, age + 2)
    return latency


@pytest.mark.parametrize(("share", "seconds"), [(0.1, 10.5), (0.5, 20.0), (0.9, 38.0)])
def test_quantiles_are_those_of_the_tasks_seen(share: float, seconds: float) -> None:
    found = learned(Random(3)).quantile(share)
    assert found == pytest.approx(seconds, rel=0.12)


def test_of_a_long_run_the_latest_thousand_tasks_count_and_no_more() -> None:
    latency = learned(Random(3), tasks=16_000)
    assert sum(finished for _, finished in latency.as_json().values()) == pytest.approx(1 / (1 - FADING), rel=0.01)
    assert latency.quantile(0.5) == pytest.approx(MEDIAN, rel=0.12)


def test_the_mean_is_that_of_the_tasks_seen() -> None:
    assert learned(Random(3)).mean() == pytest.approx(MEDIAN * exp(SIGMA**2 / 2), rel=0.1)
    alike = Latency()
    for _ in range(12):
        alike.still_running(0.0, 19.0)
        alike.finished(19.0, 20.0)
    assert alike.mean() == pytest.approx(20.0, rel=0.08)


def test_the_quick_ones_do_not_pass_for_all() -> None:
    """Of a hundred tasks begun together the first ten are back: the others are not forgotten."""
    random, latency = Random(3), Latency()
    took = sorted(MEDIAN * exp(random.gauss(0, SIGMA)) for _ in range(100))
    for seconds in took[:10]:
        latency.finished(seconds * 0.9, seconds)
    for _ in took[10:]:
        latency.still_running(0.0, took[9])
    assert latency.finished_by(took[9]) == pytest.approx(0.1, abs=0.04)
    assert latency.quantile(0.5) is None


@pytest.mark.parametrize(("reports", "most_polls", "most_delay"), [(False, 3.2, 0.125), (True, 2.3, 0.05)])
def test_few_looks_find_tasks_soon_after_their_end(*, reports: bool, most_polls: float, most_delay: float) -> None:
    latency, random = learned(Random(1)), Random(2)
    looks, delays = [], []
    for _ in range(1500):
        took, age, count, is_announced = MEDIAN * exp(random.gauss(0, SIGMA)), 0.0, 0, False
        while age < took:
            step = latency.next_look(age, reports=reports)
            progress = int(100 * age / took)
            if reports and progress >= 5 and not is_announced:
                step, is_announced = announced_end(age, progress), True
            assert step is not None
            age, count = step, count + 1
        looks.append(count)
        delays.append((age - took) / took)
    assert mean(looks) <= most_polls
    assert median(delays) <= most_delay


def test_nothing_is_said_before_enough_tasks_were_seen() -> None:
    latency = Latency()
    for _ in range(7):
        latency.finished(10.0, 12.0)
    assert latency.next_look(0.0, reports=False) is None
    for _ in range(3):
        latency.finished(10.0, 12.0)
    look = latency.next_look(0.0, reports=False)
    assert look is not None
    assert 9.5 <= look <= 12.5


def test_a_change_of_pace_is_followed() -> None:
    latency = learned(Random(1))
    for _ in range(1500):
        latency.still_running(0.0, 5.0)
        latency.finished(5.0, 5.5)
    found = latency.quantile(0.5)
    assert found == pytest.approx(5.3, rel=0.1)


def test_it_outlives_the_process() -> None:
    latency = learned(Random(1))
    again = Latency.of(latency.as_json())
    assert again.quantile(0.5) == pytest.approx(latency.quantile(0.5), rel=0.01)
    assert Latency.of(None).quantile(0.5) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.booleans()), max_size=60), st.floats(0.1, 1e5))
def test_every_look_is_later_than_the_last(seen: list[tuple[float, float, bool]], age: float) -> None:
    latency = Latency()
    for first, second, is_over in seen:
        (latency.finished if is_over else latency.still_running)(min(first, second), max(first, second))
    for reports in (False, True):
        look = latency.next_look(age, reports=reports)
        assert look is None or look > age


def test_the_table_stays_small_whatever_is_put_into_it() -> None:
    random, latency = Random(1), Latency()
    for _ in range(500):
        latency.finished(0.0, random.uniform(0.01, 1e6))
    assert len(latency.as_json()) < 150

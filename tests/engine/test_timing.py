"""What a plan says of time, and of what a higher setting would gain and put at risk."""

from decimal import Decimal
from typing import Any

import pytest

from orchestrator.engine.timing import Timing, timing
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.forecast import Binding, Left
from orchestrator.jobs.latency import Latency
from orchestrator.jobs.lessons import Lessons
from orchestrator.jobs.meter import Learned

HUNDRED = Left(requests=100, images=200)


def plan(lessons: Lessons | None = None, *, has_tasks: bool = False, dearest: str | None = "0.1", **fields: Any) -> Timing:
    settings = AccountSettings(name="studio", provider="openai", base_url="https://api.openai.com", api_key_env="KEY", **fields)
    worst = Decimal(dearest) if dearest else None
    return timing(settings, lessons or Lessons(answer=10.0), HUNDRED, worst, has_tasks=has_tasks)


def test_the_lowest_limit_binds_and_a_higher_concurrency_gains_nothing() -> None:
    found = plan(ipm=20, rpm=500, concurrency=50)
    assert (found.binding, found.limit, found.gain) == (Binding.IPM, 20, None)
    assert found.seconds == pytest.approx(180 / 20 * 60 + 10)


def test_where_slots_bind_twice_as_many_gain_half_the_time_and_risk_twice_as_much() -> None:
    found = plan(concurrency=4)
    assert (found.binding, found.seconds) == (Binding.CONCURRENCY, 260.0)
    assert found.gain is not None
    assert (found.gain.value, found.gain.seconds, found.gain.at_risk) == (8, 135.0, Decimal("0.8"))


def test_more_outstanding_tasks_put_nothing_more_in_doubt() -> None:
    latency = Latency()
    for _ in range(20):
        latency.finished(38.0, 42.0)
    found = plan(Lessons(answer=1.0, latencies={"gpt-4o-image": latency}), has_tasks=True, outstanding=5)
    assert found.binding is Binding.OUTSTANDING
    assert found.gain is not None
    assert found.gain.at_risk is None
    assert found.gain.seconds < 0.6 * (found.seconds or 0.0)


def test_what_was_learned_counts_where_it_is_lower_than_what_is_set() -> None:
    assert plan(Lessons(answer=1.0, images=Learned(limit=10)), ipm=50, concurrency=50).limit == 10


def test_without_answers_and_limits_nobody_knows() -> None:
    assert plan(Lessons()).seconds is None


def test_a_limit_alone_says_how_long_it_takes_at_least() -> None:
    found = plan(Lessons(), ipm=20)
    assert found.at_least
    assert found.seconds == 540.0


def test_what_a_crash_risks_is_unknown_where_a_price_is() -> None:
    found = plan(dearest=None)
    assert found.gain is not None
    assert found.gain.at_risk is None

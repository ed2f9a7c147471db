"""What a client may do while it is told to wait, judged by the simulator's ledger on virtual time."""

from itertools import pairwise
from typing import Any

import pytest

from tests.clocks import JumpingClock

from .bench import Bench, assert_whole, rows
from .conftest import OpenBench

STEPS = [(1.0, 1.3), (2.0, 2.6), (4.0, 5.2)]
"""Seconds of the first three waits, shortest and longest."""
HEADERS: list[dict[str, Any]] = [
    {"retry_after": "7"},
    {"retry_after": "date", "retry_after_seconds": 7},
    {"retry_after": "ms", "retry_after_seconds": 7},
]
PROVIDERS = ["toapis", "openai-images"]


def moments(bench: Bench) -> list[float]:
    """Return when submissions arrived, in virtual seconds."""
    return [submission.monotonic for submission in bench.simulator.ledger.submissions]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_without_advice_the_waits_are_one_two_and_four_seconds_stretched_by_at_most_a_third(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, throttle_each=3)
    finished = await bench.run(rows(1))
    assert finished.exit_code == 0
    assert bench.outcomes() == ["throttled"] * 3 + ["accepted"]
    for (before, after), (shortest, longest) in zip(pairwise(moments(bench)), STEPS, strict=True):
        assert shortest <= after - before <= longest


@pytest.mark.parametrize("advice", HEADERS, ids=["seconds", "date", "milliseconds"])
async def test_nothing_is_sent_before_the_time_the_provider_names(open_bench: OpenBench, advice: dict[str, Any]) -> None:
    bench = await open_bench("openai-images", throttle_each=3, **advice)
    finished = await bench.run(rows(1))
    assert finished.exit_code == 0
    gaps = [after - before for before, after in pairwise(moments(bench))]
    assert len(gaps) == 3
    assert all(7.0 <= gap <= 8.0 + 1.3 for gap in gaps), gaps


async def test_an_advice_shorter_than_our_own_step_does_not_shorten_it(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", throttle_each=3, retry_after="0")
    await bench.run(rows(1))
    gaps = [after - before for before, after in pairwise(moments(bench))]
    assert all(gap >= shortest for gap, (shortest, _) in zip(gaps, STEPS, strict=True)), gaps


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_one_refusal_closes_the_gate_for_the_whole_account(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, throttle_first=6, retry_after="7", latency=0.5)
    finished = await bench.run(rows(20))
    assert finished.exit_code == 0
    assert bench.outcomes().count("throttled") == 6
    closed = [s.monotonic for s in bench.simulator.ledger.submissions if s.outcome == "throttled"]
    early = [(moment, shut) for moment in moments(bench) for shut in closed if shut < moment < shut + 7.0]
    assert early == []
    for row in bench.manifest():
        assert_whole(bench.out, row)


async def test_accounts_do_not_wait_for_each_other(open_bench: OpenBench, clock: JumpingClock) -> None:
    slow = await open_bench("toapis", throttle_each=1, retry_after="60")
    quick = await open_bench("openai-images")
    batch = slow.write(rows(1))
    text = batch.read_text(encoding="utf-8")
    other = f'"accounts": {{"other": {{"provider": "openai-images", "base_url": "{quick.simulator.url_for("openai-images")}"}},'
    job = '"jobs": [{"prompt": "the quick one", "account": "other", "model": "gpt-image-2", "size": "1024x1024"},'
    batch.write_text(text.replace('"accounts": {', other).replace('"jobs": [', job), encoding="utf-8")
    begun_at = clock.monotonic()
    finished = await slow.run()
    assert finished.exit_code == 0
    assert quick.accepted()[0].monotonic - begun_at < 1.0
    assert slow.accepted()[0].monotonic - begun_at >= 60.0


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_waiting_out_a_limit_is_told_costs_nothing_and_uses_up_no_try(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, throttle_each=3)
    await bench.run(rows(2))
    for row in bench.manifest():
        assert [attempt["outcome"] for attempt in row["attempts"]] == ["throttled"] * 3 + ["delivered"]
        assert [attempt["charged"] for attempt in row["attempts"]] == ["no"] * 3 + ["yes"]
        assert [attempt["http_status"] for attempt in row["attempts"]] == [429] * 3 + [200]
        story, _ = await bench.app().story(row["key"], None)
        assert story.job["tries"] == 0
    assert len(bench.accepted()) == 2


async def test_a_provider_that_asks_for_more_than_an_hour_pauses_its_account(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", throttle_first=3, retry_after="7200")
    finished = await bench.run(rows(3))
    assert finished.exit_code == 4
    assert set(bench.states().values()) == {"pending"}
    assert bench.accepted() == []

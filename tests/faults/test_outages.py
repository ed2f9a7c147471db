"""Providers that are away or out of breath: few requests, little doubt, and work goes on soon after they are back."""

import asyncio
from collections.abc import Callable

import pytest

from tests.clocks import JumpingClock
from tests.engine.bench import Bench, rows
from tests.engine.conftest import OpenBench

from .gateway import ENDLESS, SUBMIT, Gateway, Spoil, cut, cut_after, silence, status
from .verdict import assert_all_done, assert_fair

pytestmark = pytest.mark.faults

BOTH = ["toapis", "openai-images"]
SLOTS = 4
AWAY = 300.0
"""Seconds of an outage."""
PROBES = AWAY / 30.0 + 1


async def during_an_outage(bench: Bench, clock: JumpingClock, spoil: Spoil, jobs: int) -> tuple[Gateway, float, float]:
    """Run a batch at a gateway that spoils every paid request for a while; return it, and when it was over and work went on."""
    resumed: list[float] = []
    patience = 0.3 if spoil is silence else 10.0  # real seconds: short only where an answer never comes
    async with Gateway(upstream=bench.simulator.url_for(bench.provider), stage=SUBMIT, spoil=spoil, times=ENDLESS) as gateway:
        bench.account = {
            **bench.account,
            "base_url": gateway.base_url,
            "timeouts": {"submit_task": patience, "submit_synchronous": patience},
        }

        async def come_back() -> float:
            await clock.sleep(AWAY)
            gateway.times = 0
            bench.simulator.on_accepted = lambda _: resumed.append(clock.monotonic())
            return clock.monotonic()

        back = asyncio.create_task(come_back())
        finished = await bench.run(rows(jobs))
        assert finished.outcome.paused == {}
        return gateway, await back, resumed[0]


@pytest.mark.parametrize("spoil", [status(503), status(521)], ids=["503", "521"])
@pytest.mark.parametrize("provider", BOTH)
async def test_a_provider_that_says_no_for_minutes_is_probed_twice_a_minute(
    open_bench: OpenBench, clock: JumpingClock, provider: str, spoil: Spoil
) -> None:
    bench = await open_bench(provider)
    gateway, back, resumed = await during_an_outage(bench, clock, spoil, 20)
    assert gateway.seen[SUBMIT] <= 20 + SLOTS + 5 + PROBES
    assert resumed - back <= 35.0
    assert_all_done(bench, rows(20))


@pytest.mark.parametrize("spoil", [cut, cut_after, silence, status(502)], ids=["cut", "cut after", "silence", "502"])
async def test_an_outage_that_leaves_doubt_leaves_little_of_it(open_bench: OpenBench, clock: JumpingClock, spoil: Spoil) -> None:
    bench = await open_bench("openai-images")
    _, back, resumed = await during_an_outage(bench, clock, spoil, 40)
    # Five failures close the doors; until the fifth is written down, every slot may have been filled once more.
    held = assert_fair(bench, rows(40), uncertain=range(1, 2 * SLOTS + 5 + int(PROBES) + 1))
    assert resumed - back <= 60.0  # a probe sent before the end may still wait for its answer, and virtual time jumps meanwhile
    assert len([row for row in bench.manifest() if row["state"] == "succeeded"]) == 40 - len(held)


async def test_a_storm_of_429s_costs_no_tries_and_few_requests(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", rpm=60, burst=10, retry_after="date", retry_after_seconds=2.0)
    assert (await bench.run(rows(60))).exit_code == 0
    assert len(bench.simulator.ledger.submissions) <= 3 * 60
    assert_all_done(bench, rows(60))


async def test_errors_that_are_free_are_tried_again_within_a_budget(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"on_500": "retry"}, error_rate=0.3, seed=5)
    await bench.run(rows(150))
    assert len(bench.simulator.ledger.submissions) <= 1.6 * 150
    assert_fair(bench, rows(150), uncertain=range(150 * 3 // 100 + 5))


async def test_an_address_without_a_name_puts_nothing_in_doubt(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"base_url": "http://nowhere.invalid", "allow_hosts": ["nowhere.invalid"]})
    run = asyncio.create_task(bench.run(rows(3), trust_accounts=True))
    await until_postponed(bench, 6)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert set(bench.states().values()) == {"pending"}
    assert set(bench.attempts()) == {("not_sent", "no")}


async def until_postponed(bench: Bench, times: int) -> None:
    await until(lambda: len(bench.named("job_postponed")) >= times)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the run is a task of this very loop
            await asyncio.sleep(0.003)

"""A process that stands still - a laptop lid, SIGSTOP - and wakes up: it sends nothing that it meant to send long ago."""

import asyncio
import signal

import pytest

from tests.clocks import FastClock
from tests.engine.bench import rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import Engine, until

from .verdict import assert_all_done, assert_fair
from .victims import stands_still, start

pytestmark = pytest.mark.faults

SPEED = 15.0


@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_an_intent_that_became_old_in_its_sleep_is_not_sent(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, clock=FastClock(SPEED))
    bench.write(rows(3))
    engine = await start(bench, "run", "P17:1:freeze")
    await until(lambda: stands_still(engine))
    assert bench.accepted() == []
    await asyncio.sleep(6.0 / SPEED)
    engine.process.send_signal(signal.SIGCONT)
    assert (await engine.ended())["exit_code"] == 0
    assert_all_done(bench, rows(3))
    assert bench.attempts()[0] == ("not_sent", "no")


@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_a_run_that_is_frozen_at_any_moment_goes_on_as_if_nothing_had_been(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, clock=FastClock(SPEED), latency=0.03 * SPEED)
    jobs = rows(30)
    bench.write(jobs)
    engine = await Engine.start(bench, "run")
    for accepted in (2, 9, 16):
        await until(lambda accepted=accepted: len(bench.accepted()) >= accepted)  # type: ignore[misc]
        engine.process.send_signal(signal.SIGSTOP)
        await until(lambda: stands_still(engine))
        await asyncio.sleep(0.4)
        engine.process.send_signal(signal.SIGCONT)
    assert (await engine.ended())["exit_code"] == 0
    assert_fair(bench, jobs)

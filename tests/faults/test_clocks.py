"""Clocks that jump during a run and between runs (reliability.md e, F10): nothing dies of it, and nobody waits for it."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from orchestrator.engine.runtime import Runtime
from tests.cli.program import COMMAND, environment
from tests.clocks import JumpingClock
from tests.engine.bench import Bench, query, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import until

from .verdict import assert_all_done

pytestmark = pytest.mark.faults

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STEPS = [2 * HOUR, -3 * DAY, 5 * MINUTE, -5 * MINUTE]
LIBRARIES = [Path("/usr/lib", machine, "faketime/libfaketime.so.1") for machine in ("x86_64-linux-gnu", "aarch64-linux-gnu")]
FAKETIME = next((path for path in LIBRARIES if path.exists()), None)
NEEDS_FAKETIME = pytest.mark.skipif(FAKETIME is None, reason="the clock of a process is moved with libfaketime")


class Stepping:
    """A clock whose time of day somebody sets anew, while durations go on as they were."""

    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        self.set_off = 0.0
        """Seconds by which the time of day is wrong."""

    def now(self) -> float:
        return self._clock.now() + self.set_off

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def stepped(bench: Bench, clock: JumpingClock, stepping: Stepping, step: float) -> float:
    """Run a batch to its end, the clock set in the midst of it; return the seconds that it took."""

    async def set_anew() -> None:
        await clock.sleep(5.0)
        stepping.set_off += step

    began = clock.monotonic()
    setting = asyncio.create_task(set_anew())
    assert (await bench.run()).exit_code == 0
    await setting
    return clock.monotonic() - began


@pytest.mark.parametrize(("provider", "step"), [("toapis", 2 * HOUR), ("toapis", -3 * DAY), ("openai-images", -3 * DAY)])
async def test_a_clock_that_is_set_during_a_run_delays_nothing_and_loses_nothing(
    open_bench: OpenBench, clock: JumpingClock, provider: str, step: float
) -> None:
    took: list[float] = []
    for wrong in (0.0, step):
        stepping = Stepping(clock)
        bench = await open_bench(provider, latency=3.0, duration=10.0, throttle_each=1, account={"concurrency": 2})
        bench.clock = stepping  # the provider has a clock of its own
        bench.write(rows(4))
        took.append(await stepped(bench, clock, stepping, wrong))
        assert_all_done(bench, rows(4))
    undisturbed, disturbed = took
    assert disturbed <= 1.2 * undisturbed


@pytest.mark.parametrize("step", [2 * HOUR, -3 * DAY])
async def test_a_clock_that_is_set_between_two_runs_loses_nothing(
    open_bench: OpenBench, clock: JumpingClock, step: float
) -> None:
    stepping = Stepping(clock)
    bench = await open_bench("openai-images", latency=1.0, throttle_each=1, retry_after="1000")
    bench.clock = stepping
    await put_off(bench, clock)
    stepping.set_off += step
    began = clock.monotonic()
    assert (await bench.resume()).exit_code == 0
    assert clock.monotonic() - began < 1.2 * 1000.0 + 300.0
    assert_all_done(bench, rows(8))


async def put_off(bench: Bench, clock: JumpingClock) -> None:
    """Run until jobs have been put off for a quarter of an hour."""
    runtimes: list[Runtime] = []
    run = asyncio.create_task(bench.run(rows(8), begun=lambda runtime, _board: runtimes.append(runtime)))
    await clock.sleep(10.0)
    runtimes[0].drain()
    assert (await run).exit_code == 75
    assert query(bench.database, "SELECT count(*) FROM job WHERE next_at IS NOT NULL")[0][0] > 0


@pytest.mark.long
@NEEDS_FAKETIME
@pytest.mark.parametrize("step", [*STEPS, 0.0])
async def test_the_whole_program_outlives_a_step_of_the_systems_clock(
    open_bench: OpenBench, clock: JumpingClock, step: float
) -> None:
    del clock  # the simulator and the program are on real time
    bench = await open_bench("toapis", clock=_RealClock(), latency=0.2, duration=2.0, account={"concurrency": 4})
    bench.write(rows(40))
    offset = bench.folder / "offset"
    offset.write_text("+0")
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "run", str(bench.file), "--db", str(bench.database), "--out", str(bench.out), "--quiet"),
        env=environment(
            TOAPIS_API_KEY=os.environ["TOAPIS_API_KEY"],
            LD_PRELOAD=str(FAKETIME),
            FAKETIME_TIMESTAMP_FILE=str(offset),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        ),
    )
    await until(lambda: len(bench.accepted()) >= 10)
    offset.write_text(f"{step:+.0f}")
    assert await process.wait() == 0
    assert_all_done(bench, rows(40))
    sys.stdout.write(f"{step:+.0f} s: {time.monotonic() - began:.1f} s\n")


class _RealClock:
    """The machine's own."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

"""A stop in order: what is paid for is fetched, nothing new begins; a second signal stops at once and says what is in doubt."""

import asyncio
import time

import pytest

from tests.clocks import FastClock

from .bench import Bench, assert_whole, query, rows
from .conftest import OpenBench
from .processes import Engine, until

SLOTS = 4
JOBS = 20


async def working(open_bench: OpenBench, *, latency: float) -> tuple[Bench, Engine]:
    """Return an engine at work on slow synchronous requests, all slots busy."""
    bench = await open_bench("openai-images", clock=FastClock(1.0), account={"concurrency": SLOTS}, latency=latency)
    bench.write(rows(JOBS))
    engine = await Engine.start(bench, "run")
    assert await engine.words() == {"begun": True}
    ledger = bench.simulator.ledger
    await until(lambda: len(bench.accepted()) >= SLOTS and ledger.in_flight == SLOTS)
    return bench, engine


@pytest.mark.slow
async def test_the_first_signal_finishes_what_is_paid_for_and_leaves_nothing_in_doubt(open_bench: OpenBench) -> None:
    bench, engine = await working(open_bench, latency=1.0)
    signalled_at = time.time()
    engine.terminate()
    assert await engine.ended() == {"ending": "drained", "exit_code": 75}
    assert time.time() - signalled_at < 1.0 + 4.0  # a loaded machine takes its time to end a process
    assert max(submission.at for submission in bench.accepted()) <= signalled_at + 0.5
    states = list(bench.states().values())
    assert set(states) <= {"succeeded", "ready", "pending"}
    assert states.count("succeeded") + states.count("ready") == len(bench.accepted())


@pytest.mark.slow
async def test_what_a_drained_run_left_is_done_by_resume_and_nothing_is_paid_twice(open_bench: OpenBench) -> None:
    bench, engine = await working(open_bench, latency=0.1)
    engine.terminate()
    await engine.ended()
    assert (await bench.resume()).exit_code == 0
    assert len(bench.accepted()) == JOBS
    assert max(bench.simulator.ledger.charged_prompts().values()) == 1
    for row in bench.manifest():
        assert_whole(bench.out, row)


@pytest.mark.slow
async def test_tasks_that_are_running_when_a_run_is_drained_are_left_for_resume(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", clock=FastClock(10.0), latency=0.1, duration=15.0)
    bench.write(rows(10))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) == 10)
    engine.terminate()
    assert (await engine.ended())["exit_code"] == 75
    assert set(bench.states().values()) == {"running"}
    assert (await bench.resume()).exit_code == 0
    assert len(bench.accepted()) == 10


@pytest.mark.slow
async def test_the_second_signal_ends_the_run_at_once_and_holds_what_was_in_flight(open_bench: OpenBench) -> None:
    bench, engine = await working(open_bench, latency=8.0)
    engine.terminate()
    assert await engine.words() == {"signals": 1}
    signalled_at = time.time()
    engine.terminate()
    assert await engine.ended() == {"ending": "aborted", "exit_code": 130}
    assert time.time() - signalled_at < 2.0
    states = list(bench.states().values())
    assert states.count("uncertain") == SLOTS
    assert query(bench.database, "SELECT count(*) FROM attempt WHERE state = 'open'") == [(0,)]


async def cancelled(open_bench: OpenBench, *, times: int) -> Bench:
    """Return a bench whose run was cancelled by the program around it, so often, with all slots busy."""
    bench = await open_bench("openai-images", clock=FastClock(1.0), account={"concurrency": SLOTS}, latency=1.0)
    run = asyncio.create_task(bench.run(rows(JOBS)))
    await until(lambda: len(bench.accepted()) >= SLOTS)
    for _ in range(times):
        run.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await run
    assert run.cancelled()
    return bench


async def test_a_run_that_is_cancelled_from_outside_drains_and_passes_the_cancellation_on(open_bench: OpenBench) -> None:
    bench = await cancelled(open_bench, times=1)
    states = list(bench.states().values())
    assert len(bench.accepted()) == SLOTS
    assert states.count("succeeded") + states.count("ready") == SLOTS
    assert states.count("pending") == JOBS - SLOTS


async def test_a_second_cancellation_ends_the_run_at_once_and_holds_what_was_in_flight(open_bench: OpenBench) -> None:
    bench = await cancelled(open_bench, times=2)
    assert list(bench.states().values()).count("uncertain") == SLOTS
    assert query(bench.database, "SELECT count(*) FROM attempt WHERE state = 'open'") == [(0,)]

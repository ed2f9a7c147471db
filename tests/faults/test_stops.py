"""Signals under load: a first one leaves nothing in doubt, a second one ends the process at once and names what it left."""

import asyncio
import signal
import time
from random import Random

import pytest

from tests.clocks import FastClock
from tests.engine.bench import query, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import Engine, until

from .verdict import assert_all_done, assert_fair

pytestmark = pytest.mark.faults

SLOTS = 4
JOBS = 60
BOTH = ["toapis", "openai-images"]
LATENCY = 0.05
"""Real seconds."""


@pytest.mark.parametrize("provider", BOTH)
async def test_one_signal_at_any_moment_leaves_nothing_in_doubt(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, clock=FastClock(1.0), account={"concurrency": SLOTS}, latency=LATENCY)
    bench.write(rows(JOBS))
    random = Random(7)
    for number, each in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT)):
        engine = await Engine.start(bench, "run")
        await until(lambda least=5 + 12 * number: len(bench.accepted()) >= least)  # type: ignore[misc]
        await asyncio.sleep(random.uniform(0.0, LATENCY))
        sent_at = time.time()
        engine.process.send_signal(each)
        assert await engine.ended() == {"ending": "drained", "exit_code": 75}
        assert max(submission.at for submission in bench.accepted()) <= sent_at + 0.5
        assert query(bench.database, "SELECT count(*) FROM attempt WHERE state IN ('open', 'uncertain')") == [(0,)]
    await bench.run()
    assert_all_done(bench, rows(JOBS))


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("each", [signal.SIGTERM, signal.SIGINT])
async def test_two_signals_end_the_process_within_two_seconds(open_bench: OpenBench, provider: str, each: signal.Signals) -> None:
    clock = FastClock(15.0)  # what is in doubt is looked up for a minute
    bench = await open_bench(provider, clock=clock, account={"concurrency": SLOTS}, latency=300.0, lookup=False)
    bench.write(rows(SLOTS))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) >= SLOTS)
    assert await engine.words() == {"begun": True}
    engine.process.send_signal(each)
    assert await engine.words() == {"signals": 1}
    sent_at = time.monotonic()
    engine.process.send_signal(each)
    assert await engine.ended() == {"ending": "aborted", "exit_code": 130}
    assert time.monotonic() - sent_at < 2.0
    await bench.resume()
    assert_fair(bench, rows(SLOTS), uncertain=SLOTS)

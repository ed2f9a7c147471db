"""The promises about calls, on a small scale: nothing stays in doubt that can be cleared, and nothing is paid twice."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Simulator, SimulatorOptions, Submission
from tests.clocks import FastClock
from tests.engine.bench import Bench
from tests.engine.conftest import OpenBench

from .calling import SECRET, assert_paid_once, fetches, free_port, jobs, run, write

BRIEF = {"uncertain_grace": "60s"}
ACCOUNT = {"concurrency": 2, "uncertain_grace": "25s"}


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])
async def test_with_lost_answers_and_calls_arriving_nothing_stays_uncertain(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=10.0, lost_answer_rate=0.15, seed=7, account=BRIEF)
    assert (await run(bench, jobs(60))).exit_code == 0
    assert sum(submission.status is None for submission in bench.accepted()) >= 4
    assert_paid_once(bench)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])
async def test_with_calls_lost_too_exactly_those_stay_that_only_a_call_could_clear(open_bench: OpenBench, provider: str) -> None:
    faults: dict[str, Any] = {"lost_answer_rate": 0.3, "lost_call_rate": 0.2, "seed": 11}
    bench = await open_bench(provider, webhook_secret=SECRET, duration=10.0, account=BRIEF, **faults)
    await run(bench, jobs(60))
    called = {call.task_id for call in bench.simulator.ledger.calls}
    silent = {
        submission.prompt for submission in bench.accepted() if submission.status is None and submission.task_id not in called
    }
    uncertain = {row["prompt"] for row in bench.manifest() if row["state"] == "uncertain"}
    assert silent
    assert uncertain == (silent if provider == "ttapi-4o" else set())
    assert_paid_once(bench)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [60, pytest.param(500, marks=pytest.mark.long)])
@pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])
async def test_nearly_all_tasks_are_ready_through_their_call_and_asked_for_once_more_at_most(
    open_bench: OpenBench, provider: str, number: int
) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=15.0, jitter=0.6)
    assert (await run(bench, jobs(number))).exit_code == 0
    ends = [poll for poll in bench.simulator.ledger.polls if poll.status in ("SUCCESS", "completed")]
    called_at = {call.task_id: call.at for call in bench.simulator.ledger.calls}
    through_call = [poll for poll in ends if 0 <= poll.at - called_at.get(poll.task_id, 1e12) <= 1.0]
    assert len({poll.task_id for poll in through_call}) >= 0.95 * number
    assert max(fetches(bench).values()) <= 2


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])
async def test_many_tasks_finish_though_every_call_is_lost(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=15.0, jitter=0.6, lost_call_rate=1.0)
    assert (await run(bench, jobs(500))).exit_code == 0
    assert not bench.simulator.ledger.calls
    assert_paid_once(bench)


@pytest.fixture
async def ttapi(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = FastClock(20.0)
    options = SimulatorOptions(provider="ttapi-4o", image_side=64, duration=2.0, latency=3.0, call_again_after=20.0)
    async with Simulator(options, clock=clock) as simulator:
        yield Bench(folder=tmp_path, simulator=simulator, provider="ttapi-4o", clock=clock, account=ACCOUNT)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("number", "kills"), [(16, 3), (200, 20)])
async def test_attempts_of_processes_that_died_right_after_a_charge_are_brought_home(
    ttapi: Bench, number: int, kills: int
) -> None:
    """Several kills, each amid charged requests, while the simulator repeats its calls until somebody hears them."""
    bench, port = ttapi, free_port()
    write(bench, jobs(number))
    url = f"http://127.0.0.1:{port}"
    words = ["--db", str(bench.database), "--out", str(bench.out), "--public-url", url, "--listen", f"127.0.0.1:{port}"]
    begin = [sys.executable, "-m", "orchestrator", "run", str(bench.file), *words, "--quiet"]
    for _ in range(kills):
        charged = asyncio.Event()
        bench.simulator.on_accepted = _after(3, charged)
        process = await asyncio.create_subprocess_exec(*begin, stderr=asyncio.subprocess.DEVNULL)
        await asyncio.wait_for(charged.wait(), 40)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    bench.simulator.on_accepted = None
    process = await asyncio.create_subprocess_exec(*begin, stderr=asyncio.subprocess.DEVNULL)
    await asyncio.wait_for(process.wait(), 600)
    charged_for = bench.simulator.ledger.charged_prompts()
    rows = {row["prompt"]: row["state"] for row in bench.manifest()}
    assert {rows[prompt] for prompt in charged_for} == {"succeeded"}
    assert set(rows.values()) <= {"succeeded", "uncertain"}, "a kill before the first byte leaves a doubt that costs nothing"
    assert_paid_once(bench)


def _after(number: int, charged: asyncio.Event) -> Any:
    left = [number]

    def count(_submission: Submission) -> None:
        left[0] -= 1
        if left[0] <= 0:
            charged.set()

    return count

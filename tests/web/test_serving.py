"""`serve`: a process that stays, works through what there is, and looks up when a call or another process brings more."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.app import App, Options
from orchestrator.store.operators import Selection
from tests.clocks import JumpingClock
from tests.engine.bench import Bench
from tests.engine.conftest import OpenBench

from .calling import free_port, jobs, run, write


def server(bench: Bench, port: int) -> App:
    return App(
        Options(
            db=str(bench.database),
            out=str(bench.out),
            public_url=f"http://127.0.0.1:{port}",
            listen=f"127.0.0.1:{port}",
        ),
        clock=bench.clock,
    )


async def until(clock: JumpingClock, bench: Bench, states: set[str]) -> None:
    for _ in range(600):
        if set(bench.states().values()) == states:
            return
        await clock.sleep(1)
    raise AssertionError(f"{bench.states()} instead of {states}")


@pytest.mark.slow
async def test_it_takes_up_what_is_left_and_what_calls_bring_later(open_bench: OpenBench, clock: JumpingClock) -> None:
    account = {"uncertain_grace": "5s"}
    bench = await open_bench("ttapi-4o", duration=60.0, lose_answer_each=1, call_again_after=10.0, account=account)
    port = free_port()
    assert (await run(bench, jobs(3), port=port)).exit_code == 5
    app = server(bench, port)
    serving = asyncio.create_task(app.serve([bench.events.append], work=True))
    await until(clock, bench, {"succeeded"})
    app.stop()
    await serving
    assert len(bench.named("task_adopted")) == 3


async def test_it_hears_the_users_word_and_works_on(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, lose_answer_each=1, lost_call_rate=1.0, account={"uncertain_grace": "5s"})
    port = free_port()
    assert (await run(bench, jobs(2), port=port)).exit_code == 5
    app = server(bench, port)
    serving = asyncio.create_task(app.serve([], work=True))
    await clock.sleep(20)
    async with bench.app().store() as store:
        await store.operators.resubmit(Selection())
    await until(clock, bench, {"succeeded"})
    app.stop()
    await serving


@pytest.mark.slow
async def test_a_paused_account_stays_so_until_somebody_runs_its_batch_again(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, quota_after=2, account={"concurrency": 1})
    write(bench, jobs(4))
    assert (await bench.run(limit=1)).exit_code == 0
    app = server(bench, free_port())
    serving = asyncio.create_task(app.serve([bench.events.append], work=True))
    await paused(clock, bench)
    asked = len(bench.simulator.ledger.submissions)
    async with bench.app().store() as store:
        await store.operators.retry(Selection())  # somebody writes to the store
    await clock.sleep(30)
    assert len(bench.simulator.ledger.submissions) == asked
    bench.simulator._gate.restart()  # the balance is filled up
    assert (await bench.app().run(bench.file, [], lambda _runtime, _board: None)).followed
    assert set(bench.states().values()) == {"succeeded"}
    app.stop()
    await serving


async def paused(clock: JumpingClock, bench: Bench) -> None:
    for _ in range(60):
        if await bench.app().paused_accounts():
            return
        await clock.sleep(1)
    raise AssertionError("the account was not paused")


async def test_without_work_it_receives_beside_a_run_of_another_process(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", duration=20.0, lose_answer_each=1)
    port = free_port()
    app = server(bench, port)
    serving = asyncio.create_task(app.serve([], work=False))
    await clock.sleep(1)
    assert (await run(bench, jobs(4), port=port, listen="none")).exit_code == 0
    assert len(bench.named("task_adopted")) == 4
    app.stop()
    await serving


@pytest.mark.slow
async def test_as_a_program_it_serves_figures_and_ends_by_a_signal(tmp_path: Path) -> None:
    port = free_port()
    words = ["serve", "--no-work", "--json", "--listen", f"127.0.0.1:{port}", "--db", str(tmp_path / "orchestrator.db")]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orchestrator", *words, stdout=pipe, stderr=pipe, cwd=tmp_path, env=_with_checkout()
    )
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    assert (told["event"], told["port"]) == ("listening", port)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert "orchestrator_spent_usd_total 0.0" in await answer.text()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await process.communicate()


@pytest.mark.slow
async def test_a_place_that_is_taken_is_said_clearly(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o")
    write(bench, jobs(1))
    taken = bench.simulator.base_url.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orchestrator",
        *("run", str(bench.file), "--db", str(bench.database), "--out", str(bench.out)),
        *("--public-url", "https://x.example", "--listen", f"127.0.0.1:{taken}"),
        stderr=asyncio.subprocess.PIPE,
        env=_with_checkout(),
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 3
    assert f"cannot listen on 127.0.0.1:{taken}" in said.decode()
    assert bench.simulator.ledger.submissions == []


def _with_checkout() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}

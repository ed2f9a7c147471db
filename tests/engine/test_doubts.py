"""Attempts whose answer was lost: they are held and named, looked up, and taken up by whatever is told of them."""

import asyncio
from typing import Any

import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.simulator import Submission
from orchestrator.store.operators import Selection
from tests.clocks import JumpingClock

from .bench import MODELS, Bench, assert_all_whole, assert_whole, rows
from .conftest import OpenBench

BOTH = ["toapis", "openai-images"]


@pytest.mark.slow
@pytest.mark.parametrize("provider", BOTH)
async def test_exactly_the_jobs_whose_answers_were_lost_are_uncertain_and_nothing_is_paid_twice(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, lost_answer_rate=0.15, lookup=False, seed=3)
    finished = await bench.run(rows(60))
    uncertain = {row["prompt"] for row in bench.manifest() if row["state"] == "uncertain"}
    assert finished.exit_code == 5
    assert uncertain == bench.lost()
    assert len(uncertain) > 3
    await bench.resume()
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert len(bench.accepted()) == 60
    for row in bench.manifest():
        if row["state"] != "uncertain":
            assert_whole(bench.out, row)


@pytest.mark.parametrize("provider", BOTH)
async def test_an_uncertain_attempt_is_named_with_all_that_is_known_of_it(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, error_after_rate=1.0, lookup=False, latency=7.0)
    bench.account = {"prices": {MODELS[provider]: {"per_image": "0.02"}}}
    await bench.run(rows(1))
    (attempt,) = bench.only()["attempts"]
    assert (attempt["outcome"], attempt["charged"], attempt["phase"]) == ("uncertain", "possible", "answered")
    assert attempt["http_status"] == 500
    assert 7.0 <= attempt["elapsed"] < 8.0
    assert attempt["cost_worst"] == "0.02"


@pytest.mark.slow
async def test_every_submission_that_was_accepted_is_adopted_by_the_look_up(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lost_answer_rate=0.15, error_after_rate=0.1, seed=3)
    finished = await bench.run(rows(60))
    assert finished.exit_code == 0
    assert sum(submission.status != 200 for submission in bench.accepted()) > 5
    assert len(bench.accepted()) == 60
    assert_all_whole(bench)


async def test_a_look_up_that_finds_nothing_is_made_four_times_then_once_a_start_and_never_leads_to_paying(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("toapis", lost_answer_rate=1.0, lookup=False)
    started = clock.now()
    assert (await bench.run(rows(1))).exit_code == 5
    asked = [round(poll.at - started) for poll in bench.simulator.ledger.polls]
    assert asked == [0, 2, 10, 60]
    assert (await bench.resume()).exit_code == 5
    assert len(bench.simulator.ledger.polls) == 5
    assert bench.outcomes() == ["accepted"]


async def test_what_the_user_settles_beside_a_run_is_taken_up_by_it(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False, duration=5)
    told = asyncio.Event()

    async def settle() -> None:
        await clock.sleep(5)
        async with bench.app().store() as store:
            task = str(bench.accepted()[0].task_id)
            await store.operators.adopt(Selection(keys=("job-000",)), task)
        told.set()

    settling = asyncio.create_task(settle())
    assert (await bench.run(rows(1))).exit_code == 0
    await settling
    assert_all_whole(bench)
    assert len(bench.accepted()) == 1


class Callback:
    """Calls the engine about a task as soon as it is charged, long before its answer goes out."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._runtime: Runtime | None = None
        self.calls: list[asyncio.Task[object]] = []
        bench.simulator.on_accepted = self._charged

    def begun(self, runtime: Runtime, _board: Board) -> None:
        self._runtime = runtime

    def _charged(self, submission: Submission) -> None:
        assert self._runtime is not None
        report = Report(status=Status.RUNNING, remote_id=submission.task_id)
        call = self._runtime.inbox.adopt(str(submission.client_business_id), report, unfinished_at=self._bench.clock.now())
        self.calls.append(asyncio.create_task(call))


@pytest.mark.parametrize("fault", [{"lose_answer_each": 1}, {"error_after_rate": 1.0}, {}])
async def test_a_call_that_comes_before_the_answer_adopts_and_a_later_failure_takes_nothing_back(
    open_bench: OpenBench, fault: dict[str, Any]
) -> None:
    bench = await open_bench("toapis", latency=2.0, lookup=False, **fault)
    callback = Callback(bench)
    assert (await bench.run(rows(8), begun=callback.begun)).exit_code == 0
    assert len(callback.calls) == 8
    assert len(bench.accepted()) == 8
    assert bench.attempts() == [("delivered", "yes")] * 8
    assert not bench.named("job_uncertain")
    assert_all_whole(bench)


async def test_a_call_about_nobodys_attempt_moves_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    heard: list[object] = []

    async def call(runtime: Runtime) -> None:
        report = Report(status=Status.SUCCEEDED, remote_id="task_x", outputs=(Output(url="https://f.example/a.png"),))
        heard.append(await runtime.inbox.adopt("0" * 32, report, unfinished_at=0.0))

    calls: list[asyncio.Task[None]] = []
    await bench.run(rows(1), begun=lambda runtime, _board: calls.append(asyncio.create_task(call(runtime))))
    await asyncio.gather(*calls)
    assert heard == [None]
    assert_all_whole(bench)

"""Attempts whose answer was lost: what each rung of the ladder does about them, and what it never does."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.simulator import Submission
from orchestrator.store.operators import Selection
from tests.clocks import JumpingClock

from .bench import MODELS, Bench, assert_whole, picture, query, rows
from .conftest import OpenBench

BOTH = ["toapis", "openai-images"]
HEADER = "Idempotency-Key"
KEYED = {"idempotency_header": HEADER, "idempotency_ttl": "2h"}


def only(bench: Bench) -> dict[str, Any]:
    (row,) = bench.manifest()
    return row


def assert_all_whole(bench: Bench) -> None:
    for row in bench.manifest():
        assert_whole(bench.out, row)


def outcomes(bench: Bench) -> list[str]:
    return [submission.outcome for submission in bench.simulator.ledger.submissions]


def lost(bench: Bench) -> set[str]:
    """Return the prompts whose submission was charged and whose answer never went out."""
    return {str(submission.prompt) for submission in bench.accepted() if submission.status is None}


# --- hold ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("provider", BOTH)
async def test_exactly_the_jobs_whose_answers_were_lost_are_uncertain_and_nothing_is_paid_twice(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, lost_answer_rate=0.15, lookup=False, seed=3)
    finished = await bench.run(rows(60))
    uncertain = {row["prompt"] for row in bench.manifest() if row["state"] == "uncertain"}
    assert finished.exit_code == 5
    assert uncertain == lost(bench)
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
    (attempt,) = only(bench)["attempts"]
    assert (attempt["outcome"], attempt["charged"], attempt["phase"]) == ("uncertain", "possible", "answered")
    assert attempt["http_status"] == 500
    assert 7.0 <= attempt["elapsed"] < 8.0
    assert attempt["cost_worst"] == "0.02"


# --- the key ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", BOTH)
async def test_under_a_key_that_the_provider_honours_every_lost_answer_is_had_again_for_nothing(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, lost_answer_rate=0.3, lookup=False, idempotency_header=HEADER, account=KEYED, seed=3)
    finished = await bench.run(rows(30))
    assert finished.exit_code == 0
    assert len(lost(bench)) > 3
    assert outcomes(bench).count("repeated") == len(lost(bench))
    assert len(bench.accepted()) == 30
    assert {submission.headers[HEADER.lower()] for submission in bench.accepted()} == {
        name for (name,) in query(bench.database, "SELECT id FROM attempt")
    }
    assert_all_whole(bench)


async def test_an_edit_with_files_goes_out_again_byte_for_byte(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-edits", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    reference = picture(bench.folder / "mug.png", 1)
    assert (await bench.run(rows(1, references=[str(reference)]))).exit_code == 0
    first, second = bench.simulator.ledger.submissions
    assert first.raw_sha256 == second.raw_sha256
    assert outcomes(bench) == ["accepted", "repeated"]


async def test_a_key_is_used_three_times_at_most_over_all_runs(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=9, idempotency_header=HEADER, account=KEYED)
    for _ in range(2):
        assert (await bench.run(rows(1))).exit_code == 5
    assert outcomes(bench) == ["accepted", "repeated", "repeated", "repeated"]
    assert bench.states() == {"job-000": "uncertain"}


async def test_a_key_is_not_used_beyond_half_its_life(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER)
    bench.account = {**KEYED, "idempotency_ttl": "60s"}
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    await clock.sleep(31)
    assert (await bench.resume()).exit_code == 5
    assert outcomes(bench) == ["accepted"]


@pytest.mark.slow
async def test_a_first_request_that_is_still_at_work_is_waited_for_under_the_same_key(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    (served,) = bench.simulator._gate._repeats._served.values()
    served.is_open = True

    async def end() -> None:
        await clock.sleep(100)
        served.is_open = False

    ending = asyncio.create_task(end())
    assert (await bench.resume()).exit_code == 0
    await ending
    assert outcomes(bench) == ["accepted", *["rejected"] * (len(outcomes(bench)) - 2), "repeated"]
    assert len(outcomes(bench)) > 2 + 3


async def test_a_request_that_would_differ_does_not_go_under_the_old_key(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    (bench.folder / "orchestrator.toml").write_text('[accounts.studio]\nparams = {quality = "low"}\n')
    assert (await bench.resume(config=bench.folder / "orchestrator.toml")).exit_code == 5
    assert outcomes(bench) == ["accepted"]


async def test_a_key_reused_with_another_body_is_held(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    served = bench.simulator._gate._repeats._served

    def have_served_another_body() -> None:
        for each in served.values():
            each.body_sha256 = "of another body"

    def forget(_submission: Submission) -> None:
        asyncio.get_running_loop().call_soon(have_served_another_body)

    bench.simulator.on_accepted = forget
    assert (await bench.run()).exit_code == 5
    assert outcomes(bench) == ["accepted", "rejected"]
    assert "reused" in bench.named("job_held")[0].facts["reason"]


async def test_a_provider_that_honours_no_key_is_what_makes_the_header_dangerous(open_bench: OpenBench) -> None:
    """Who names a header says that it is honoured: the program cannot know."""
    bench = await open_bench("openai-images", lose_answer_each=1, account=KEYED)
    assert (await bench.run(rows(1))).exit_code == 0
    assert len(bench.accepted()) == 2


# --- the look-up --------------------------------------------------------------------------------------------------------------


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
    assert outcomes(bench) == ["accepted"]


# --- the policy ---------------------------------------------------------------------------------------------------------------


RESUBMIT = {
    "uncertain": "resubmit",
    "max_double_cost": "10",
    "uncertain_grace": "2m",
    "timeouts": {"submit_task": "1m", "submit_synchronous": "1m"},
    "prices": {"gpt-4o-image": {"per_image": "0.02"}, "gpt-image-2": {"per_image": "0.05"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("provider", BOTH)
async def test_resubmit_pays_again_once_no_answer_can_come_any_more(
    open_bench: OpenBench, clock: JumpingClock, provider: str
) -> None:
    bench = await open_bench(provider, lose_answer_each=1, lookup=False, account=RESUBMIT)
    started = clock.now()
    assert (await bench.run(rows(2))).exit_code == 0
    assert set(bench.simulator.ledger.charged_prompts().values()) == {2}
    again = [submission.at - started for submission in bench.accepted()[2:]]
    assert all(60 + 120 <= waited < 60 + 125 for waited in again)
    assert bench.attempts() == [("abandoned", "possible")] * 2 + [("delivered", "yes")] * 2
    assert_all_whole(bench)


@pytest.mark.slow
async def test_resubmit_stops_at_what_may_be_paid_twice_and_holds_the_rest(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, account={**RESUBMIT, "max_double_cost": "0.10"})
    assert (await bench.run(rows(5))).exit_code == 5
    assert sorted(bench.states().values()) == ["succeeded"] * 2 + ["uncertain"] * 3
    assert len(bench.accepted()) == 5 + 2
    assert "would be $0.1500, and max_double_cost is $0.10" in bench.named("job_held")[0].facts["reason"]
    settings = bench.folder / "orchestrator.toml"
    settings.write_text('[accounts.studio]\nmax_double_cost = "10"\n')
    assert (await bench.resume(config=settings)).exit_code == 0


@pytest.mark.slow
async def test_resubmit_does_not_pay_again_for_what_nobody_knows_the_price_of(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False, account={**RESUBMIT, "prices": {}})
    assert (await bench.run(rows(1))).exit_code == 5
    assert len(bench.accepted()) == 1
    assert "nobody knows what it costs" in bench.named("job_held")[0].facts["reason"]


async def test_resubmit_never_pays_again_for_a_task_that_is_known_even_when_its_provider_forgets_it(
    open_bench: OpenBench,
) -> None:
    bench = await open_bench("toapis", duration=100_000, account={**RESUBMIT, "task_deadline": "30s"})
    assert (await bench.run(rows(1))).exit_code == 5
    assert bench.states() == {"job-000": "uncertain"}
    bench.simulator._gate._tasks._tasks.clear()
    assert (await bench.resume()).exit_code == 5
    assert len(bench.accepted()) == 1


@pytest.mark.slow
async def test_a_task_that_appears_before_the_grace_is_over_is_adopted_and_not_paid_again(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False, account=RESUBMIT)

    async def appear() -> None:
        await clock.sleep(100)
        object.__setattr__(bench.simulator.options, "lookup", True)

    appearing = asyncio.create_task(appear())
    assert (await bench.run(rows(1))).exit_code == 0
    await appearing
    assert len(bench.accepted()) == 1


# --- what comes late ----------------------------------------------------------------------------------------------------------


async def test_a_late_result_of_an_attempt_that_was_left_behind_is_kept_as_extra_beside_the_winner(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False)
    await bench.run(rows(1))
    async with bench.app().store() as store:
        await store.operators.resubmit(Selection())
    assert (await bench.resume()).exit_code == 0
    winner = only(bench)["images"]
    object.__setattr__(bench.simulator.options, "lookup", True)
    assert (await bench.run()).exit_code == 0
    first, extra = only(bench)["images"]
    assert [first] == winner
    assert extra["index"] == 1
    assert (bench.out / extra["file"]).exists()
    assert extra["file"] != first["file"]
    assert query(bench.database, "SELECT state FROM image ORDER BY id") == [("saved",), ("extra",)]
    assert bench.attempts() == [("abandoned", "yes"), ("delivered", "yes")]
    asked = len(bench.simulator.ledger.polls)
    await bench.run()
    assert len(bench.simulator.ledger.polls) == asked
    assert len(bench.accepted()) == 2


async def test_a_late_result_of_a_job_that_was_given_up_is_kept_and_the_job_stays_failed(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False)
    await bench.run(rows(1))
    async with bench.app().store() as store:
        await store.operators.give_up(Selection())
    object.__setattr__(bench.simulator.options, "lookup", True)
    await bench.run()
    row = only(bench)
    assert (row["state"], row["error"]["code"]) == ("failed", "given_up")
    assert (bench.out / row["images"][0]["file"]).exists()
    assert row["attempts"][0]["charged"] == "yes"


async def test_a_late_result_that_cost_more_than_was_reserved_is_booked_and_pauses_the_account_once(
    open_bench: OpenBench,
) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False)
    bench.account = {"prices": {"gpt-4o-image": {"per_image": "0.02"}}}
    await bench.run(rows(1), budget=Decimal(1))
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE attempt SET cost_reserved = 1000000")  # the price list was wrong
    async with bench.app().store() as store:
        await store.operators.give_up(Selection())
    object.__setattr__(bench.simulator.options, "lookup", True)
    finished = await bench.run()
    assert finished.exit_code == 4
    assert finished.outcome.paused["studio"].code is ErrorCode.OVERCHARGED
    assert [event.key for event in bench.named("job_overcharged")] == ["job-000"]
    assert query(bench.database, "SELECT booked FROM batch") == [(20_000_000,)]
    assert (await bench.run()).exit_code == 0


async def test_a_late_result_whose_price_nobody_told_keeps_its_worst_case_in_the_books(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False)
    await bench.run(rows(1))
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE attempt SET cost_reserved = 1000000")
    async with bench.app().store() as store:
        await store.operators.give_up(Selection())
    object.__setattr__(bench.simulator.options, "lookup", True)
    await bench.run()
    assert query(bench.database, "SELECT charged, cost_settled FROM attempt") == [("yes", None)]
    assert query(bench.database, "SELECT booked FROM batch") == [(1_000_000,)]


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


# --- news by attempt id, as callbacks bring it --------------------------------------------------------------------------------


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


def _never_climbing(runtime: Runtime, _board: Board) -> None:
    for submitter in runtime._submitters:
        submitter.rescue = lambda _job: None

"""Results of attempts that were left behind: kept, booked, and never in the place of the winner."""

import sqlite3
from contextlib import closing
from decimal import Decimal

from orchestrator.jobs.failures import ErrorCode
from orchestrator.store.operators import Selection

from .bench import query, rows
from .conftest import OpenBench


async def test_a_late_result_of_an_attempt_that_was_left_behind_is_kept_as_extra_beside_the_winner(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False)
    await bench.run(rows(1))
    async with bench.app().store() as store:
        await store.operators.resubmit(Selection())
    assert (await bench.resume()).exit_code == 0
    winner = bench.only()["images"]
    object.__setattr__(bench.simulator.options, "lookup", True)
    assert (await bench.run()).exit_code == 0
    first, extra = bench.only()["images"]
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
    row = bench.only()
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

"""Budgets in a run: what is reached stops its own jobs only, says so, and goes on when it is raised or the day is over."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from orchestrator.engine.ending import Ending
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.places import BadInput
from orchestrator.simulator import openai_images, openai_usage
from orchestrator.store.store import Store
from tests.clocks import FastClock, JumpingClock

from .bench import Bench, query, rows
from .conftest import OpenBench
from .processes import Engine

NANO = 10**9
WORST = Decimal("0.0061")
"""A little more than a low square of gpt-image-2 may cost with a short prompt."""
DAY = 86400
HELD = "CASE charged WHEN 'no' THEN 0 ELSE coalesce(cost_settled, cost_reserved, 0) END"


def money(bench: Bench) -> tuple[Decimal, Decimal]:
    """Return what the books of the batch say, and what its attempts hold by their own rows."""
    ((booked,),) = query(bench.database, "SELECT booked FROM batch")
    ((held,),) = query(bench.database, f"SELECT coalesce(sum({HELD}), 0) FROM attempt")  # noqa: S608
    return Decimal(booked) / NANO, Decimal(held) / NANO


def worst_of(bench: Bench) -> Decimal:
    ((worst,),) = query(bench.database, "SELECT max(cost_worst) FROM job")
    return Decimal(worst) / NANO


def saved(bench: Bench) -> int:
    return list(bench.states().values()).count("succeeded")


def low(count: int) -> list[dict[str, Any]]:
    return rows(count, quality="low")


@pytest.mark.slow
async def test_a_run_stops_at_its_budget_and_goes_on_when_it_is_raised(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5, account={"concurrency": 8})
    finished = await bench.run(low(20), budget=WORST * 5)
    assert (finished.outcome.ending, finished.exit_code) == (Ending.PAUSED, 4)
    (reached,) = finished.reached
    assert (reached.shortage.key, reached.money.budget) == (f"job-{saved(bench):03}", WORST * 5)
    assert saved(bench) >= 5
    assert (reached.money.left or 0) < (reached.shortage.needed or 0) <= worst_of(bench)
    assert set(bench.states().values()) == {"succeeded", "pending"}
    assert len(bench.accepted()) == saved(bench)
    finished = await bench.resume(budget=reached.enough)
    assert (finished.exit_code, saved(bench)) == (0, 20)
    assert money(bench)[0] <= (reached.enough or 0)


async def test_what_settles_lower_makes_room_for_more(open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch) -> None:
    charging_anything(monkeypatch, Random(1), most=10)
    bench = await open_bench("openai-images", latency=0.5, account={"concurrency": 8})
    finished = await bench.run(low(8), budget=WORST * 2)
    assert (finished.exit_code, saved(bench)) == (0, 8)


async def test_a_batch_at_its_budget_does_not_stop_another_of_the_same_account(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5)
    await bench.run(low(3), budget=WORST / 2)
    other = bench.file.with_name("other.yaml")
    other.write_text(bench.file.read_text().replace('"spring"', '"autumn"'))
    await bench.app(limit=1).run(other, [], lambda _runtime, _board: None)
    finished = await bench.resume()
    assert finished.exit_code == 4
    assert [reached.shortage.batch for reached in finished.reached] == ["spring"]
    assert [overview.states for overview in finished.overviews] == [{"pending": 3}, {"succeeded": 3}]


async def to_midnight(clock: JumpingClock, seconds_before: float) -> None:
    await clock.sleep(DAY - clock.now() % DAY - seconds_before)


@pytest.mark.slow
async def test_the_budget_of_a_day_pauses_and_the_next_day_goes_on(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("openai-images", latency=0.5, account={"budget_per_day": str(WORST * 3), "concurrency": 2})
    finished = await bench.run(low(6))
    assert finished.exit_code == 4
    assert [reached.shortage.per_day for reached in finished.reached] == [True]
    done = saved(bench)
    assert 3 <= done < 6
    assert (await bench.resume()).exit_code == 4
    assert saved(bench) == done
    await to_midnight(clock, -1)
    assert (await bench.resume()).exit_code == 0
    assert saved(bench) == 6


async def test_an_account_goes_on_by_itself_when_midnight_comes_during_the_run(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("openai-images", latency=20.0, account={"budget_per_day": str(WORST * 3), "concurrency": 2})
    await to_midnight(clock, 30)
    assert (await bench.run(low(6))).exit_code == 0
    days = query(bench.database, "SELECT booked FROM account_day ORDER BY day")
    assert len(days) == 2
    assert all(Decimal(booked) / NANO <= WORST * 3 for (booked,) in days)


async def test_a_charge_above_its_worst_case_is_booked_and_pauses_the_account(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5, account={"concurrency": 1})
    await bench.run(low(5), budget=Decimal(1), limit=1)
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE job SET cost_worst = 1000000 WHERE state = 'pending'")  # the price list was wrong
    finished = await bench.resume()
    assert finished.exit_code == 4
    assert finished.outcome.paused["studio"].code is ErrorCode.OVERCHARGED
    assert "job-001 cost 0.00" in finished.outcome.paused["studio"].message
    assert "`run` the file again" in finished.outcome.paused["studio"].message
    assert [event.key for event in bench.named("job_overcharged")] == ["job-001"]
    assert saved(bench) == 2
    booked, held = money(bench)
    assert booked == held > Decimal("0.002")


async def test_without_a_budget_such_a_charge_is_named_and_the_run_goes_on(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5)
    await bench.run(low(3), limit=1)
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE job SET cost_worst = 1000000 WHERE state = 'pending'")
    assert (await bench.resume()).exit_code == 0
    assert sorted(str(event.key) for event in bench.named("job_overcharged")) == ["job-001", "job-002"]


@pytest.mark.parametrize("limits", [{"budget": "1.00"}, {"account": {"budget_per_day": 1}}])
async def test_a_budget_with_an_unknown_price_is_refused_before_anything_is_stored(
    open_bench: OpenBench, limits: dict[str, Any]
) -> None:
    bench = await open_bench("toapis", account=limits.get("account", {}))
    bench.database.unlink()
    bench.budget = limits.get("budget")
    with pytest.raises(BadInput, match="the price of gpt-4o-image on account studio is not known, and budget"):
        await bench.run(rows(3))
    assert not bench.database.exists()
    assert bench.accepted() == []


async def test_a_budget_given_later_names_what_it_cannot_count(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    await bench.run(rows(3), limit=1)
    with pytest.raises(BadInput) as refused:
        await bench.resume(budget=Decimal(5))
    waiting, sent = [str(problem) for problem in refused.value.problems]
    assert "the cost of 2 jobs of batch spring is not known (e.g. job-001)" in waiting
    assert "the cost of 1 attempts already made of batch spring is not known (e.g. job-000)" in sent
    assert len(bench.accepted()) == 1
    bench.account = {"prices": {"gpt-4o-image": {"per_image": "0.02"}}}
    finished = await bench.run(rows(3), budget=Decimal("0.05"))
    assert (finished.exit_code, saved(bench), money(bench)[0]) == (4, 2, Decimal("0.04"))


async def test_a_doubt_keeps_its_reservation_until_the_user_knows_better(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5, lose_answer_each=1, account={"concurrency": 1})
    finished = await bench.run(low(4), budget=WORST * 2)
    assert finished.exit_code == 4
    assert sorted(bench.states().values()) == ["pending", "pending", "uncertain", "uncertain"]
    assert money(bench)[0] == 2 * worst_of(bench)
    assert (await bench.resume()).exit_code == 4
    await bench.app().resolve(lambda store, jobs: store.operators.not_charged(jobs), "spring", (), None)
    assert money(bench)[0] == 0
    assert (await bench.resume()).exit_code == 4  # two are paid by now, so that the other two are in doubt no more
    assert saved(bench) == 2


async def test_throttling_and_refusals_use_nothing_up(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=0.5, throttle_each=2, fail_containing="number 1")
    finished = await bench.run(low(4), budget=WORST * 4)
    assert finished.exit_code == 1
    assert sorted(bench.states().values()) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert money(bench)[0] <= 3 * WORST


async def witnessed(bench: Bench) -> None:
    """Make the store write down itself every commit that takes what attempts hold above the budget, by their own rows."""
    async with Store.open(bench.database, bench.clock):
        pass
    above = f"(SELECT coalesce(sum({HELD}), 0) FROM attempt) > (SELECT coalesce(min(budget), 0) FROM batch)"  # noqa: S608
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("CREATE TABLE witness (held INTEGER)")
        for when in ("INSERT", "UPDATE"):
            note = f"INSERT INTO witness SELECT sum({HELD}) FROM attempt"  # noqa: S608
            connection.execute(f"CREATE TRIGGER witness_{when} AFTER {when} ON attempt WHEN {above} BEGIN {note}; END")


def charging_anything(monkeypatch: pytest.MonkeyPatch, random: Random, *, most: int | None = None) -> list[Decimal]:
    """Let the simulator count from almost nothing up to the worst case for a picture; return its bill, one line a charge."""
    bill: list[Decimal] = []
    honest = openai_usage.usage

    def usage(order: Any, family: str) -> dict[str, Any]:
        counted = honest(order, family)
        counted["output_tokens"] = random.randint(1, most or counted["output_tokens"])
        text_in, output = counted["input_tokens"], counted["output_tokens"]
        bill.append((Decimal(text_in) * 5 + Decimal(output) * 30) / 1_000_000)
        return counted

    monkeypatch.setattr(openai_images, "usage", usage)
    return bill


def assert_kept(bench: Bench, bill: list[Decimal], budget: Decimal) -> None:
    assert query(bench.database, "SELECT * FROM witness") == []
    booked, held = money(bench)
    assert booked == held <= budget
    assert sum(bill) <= held
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_64_workers_that_are_cut_off_again_and_again_never_go_above_the_budget(
    open_bench: OpenBench, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    bill = charging_anything(monkeypatch, random)
    faults: dict[str, Any] = {"throttle_each": 1, "lost_answer_rate": 0.05, "error_rate": 0.05, "duration": 2.0, "jitter": 1.0}
    bench = await open_bench("openai-images", account={"concurrency": 64}, seed=seed, **faults)
    budget = WORST * random.randint(35, 50)
    bench.write(low(120))
    await witnessed(bench)
    for _ in range(3):
        await cut_off(bench, clock, budget, random.uniform(1.0, 4.0))
    finished = await bench.run(budget=budget)
    assert finished.exit_code == 4
    assert {"succeeded", "uncertain", "pending"} == set(bench.states().values())  # both kinds of end were met
    assert_kept(bench, bill, budget)


async def cut_off(bench: Bench, clock: JumpingClock, budget: Decimal, after: float) -> None:
    """End a run at once in the middle, as a second signal would."""
    aborting: list[asyncio.Task[None]] = []

    async def abort(runtime: Runtime) -> None:
        await clock.sleep(after)
        runtime.abort()

    await bench.run(budget=budget, begun=lambda runtime, _board: aborting.append(asyncio.create_task(abort(runtime))))
    aborting[0].cancel()


@pytest.mark.slow
async def test_kills_of_64_workers_never_take_the_money_above_the_budget(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(7)
    bill = charging_anything(monkeypatch, random)
    bench = await open_bench(
        "openai-images", clock=FastClock(15.0), account={"concurrency": 64}, latency=0.5, duration=1.0, jitter=1.0
    )
    budget = WORST * 100
    bench.budget = str(budget)
    bench.write(low(300))
    await witnessed(bench)
    for _ in range(3):
        engine = await Engine.start(bench, "run", seed=random.randrange(2**32))
        await engine.words()
        await asyncio.sleep(random.uniform(0.05, 0.3))
        await engine.kill()
    ended = await (await Engine.start(bench, "resume", seed=1)).ended()
    assert ended["exit_code"] == 4
    assert set(bench.states().values()) == {"succeeded", "uncertain", "pending"}  # both kinds of end were met
    assert_kept(bench, bill, budget)

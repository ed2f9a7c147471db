"""Budgets as the database keeps them: what an attempt may cost is booked with it, and what does not fit is not claimed."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.jobs.attempts import AttemptState, Charged, Phase
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.secrets import Redactor
from orchestrator.store.bookkeeping import BudgetReached
from orchestrator.store.loading import BatchBudget, Changed, NewJob
from orchestrator.store.operators import Selection
from orchestrator.store.records import Accepted, AttemptEnd, Job
from orchestrator.store.store import Store
from orchestrator.store.transitions import Transitions
from tests.clock import StillClock
from tests.store.making import ACCOUNT, LOST, REFUSED, delivery, ended, failed, intent, new_job, verbs

WORST = Decimal("0.04")
"""What `new_job` may cost; `delivery` costs 0.03."""
DAY = 86400
End = Callable[[Store, Job, Transitions], Awaitable[None]]


async def stored(store: Store, count: int, *, budget: str | None = None, per_day: str | None = None) -> list[Job]:
    """Return pending jobs of a batch with a budget, of an account with a budget per day."""
    return await stored_as(store, [new_job(position) for position in range(count)], budget=budget, per_day=per_day)


async def stored_as(
    store: Store, jobs: list[NewJob], *, batch: str = "mugs", budget: str | None = None, per_day: str | None = None
) -> list[Job]:
    account = replace(ACCOUNT, budget_per_day=None if per_day is None else Decimal(per_day))
    loading = store.loading()
    await loading.begin()
    await loading.add(jobs)
    amount = None if budget is None else Decimal(budget)
    loaded = await loading.switch(batch, "mugs.yaml", [account], Changed.ERROR, BatchBudget(amount=amount))
    return await store.candidates(account=ACCOUNT.name, batches=[loaded.batch_id], only=None, limit=len(jobs))


def booked(store: Store) -> Decimal:
    with sqlite3.connect(store.path) as connection:
        (batch,) = connection.execute("SELECT booked FROM batch").fetchone()
        days = connection.execute("SELECT sum(booked) FROM account_day").fetchone()[0]
    connection.close()
    assert batch == (days or 0)
    return Decimal(batch) / 10**9


async def running(store: Store, job: Job) -> Job:
    go = verbs(store)
    return await go.accept(await go.claim(job, intent()), Accepted(remote_id=f"task-{job.id}"))


async def test_a_claim_books_the_worst_case_and_a_delivery_what_it_did_cost(store: Store) -> None:
    (job,) = await stored(store, 1)
    go = verbs(store)
    job = await go.claim(job, intent())
    assert (job.cost_reserved, booked(store)) == (WORST, WORST)
    await go.deliver(await go.accept(job, Accepted(remote_id="t")), delivery())
    assert booked(store) == Decimal("0.03")


async def test_each_request_of_a_fan_out_books_its_share(store: Store) -> None:
    (job,) = await stored_as(store, [new_job(0, n=2, fan_out=True)])
    await verbs(store).claim(job, intent())
    assert booked(store) == WORST / 2


async def test_what_provably_cost_nothing_gives_its_reservation_back(store: Store) -> None:
    throttled, unsent, refused, unclear = await stored(store, 4)
    go = verbs(store)
    for job, state in ((throttled, AttemptState.THROTTLED), (unsent, AttemptState.NOT_SENT)):
        await go.postpone(await go.claim(job, intent()), ended(state), next_at=9.0, tries=0, throttles=1)
    await go.refuse(await go.claim(refused, intent()), ended(AttemptState.REFUSED, REFUSED), REFUSED)
    assert booked(store) == 0
    await go.doubt(await go.claim(unclear, intent()), LOST, Phase.SENT, next_at=None)
    assert booked(store) == WORST
    await store.operators.not_charged(Selection())
    assert booked(store) == 0


async def given_up(store: Store, job: Job, go: Transitions) -> None:
    await go.doubt(await go.claim(job, intent()), LOST, Phase.SENT, next_at=None)
    await store.operators.give_up(Selection())


async def resubmitted(store: Store, job: Job, go: Transitions) -> None:
    await go.doubt(await go.claim(job, intent()), LOST, Phase.SENT, next_at=None)
    await store.operators.resubmit(Selection())


async def delivered_at_an_unknown_price(store: Store, job: Job, go: Transitions) -> None:
    await go.deliver(await running(store, job), replace(delivery(), cost=None))


async def failed_at_the_provider(store: Store, job: Job, go: Transitions) -> None:
    await go.fail_task(await running(store, job), failed(), REFUSED)


async def failed_after_acceptance(_store: Store, job: Job, go: Transitions) -> None:
    end = AttemptEnd(state=AttemptState.FAILED, charged=Charged.YES, phase=Phase.ANSWERED, failure=REFUSED)
    await go.refuse(await go.claim(job, intent()), end, REFUSED)


@pytest.mark.parametrize(
    "end", [given_up, resubmitted, delivered_at_an_unknown_price, failed_at_the_provider, failed_after_acceptance]
)
async def test_what_may_have_been_charged_keeps_its_reservation(store: Store, end: End) -> None:
    (job,) = await stored(store, 1, budget="0.05")
    await end(store, job, verbs(store))
    assert booked(store) == WORST


async def test_an_attempt_adopted_late_settles_its_own_reservation(store: Store) -> None:
    (job,) = await stored(store, 1)
    go = verbs(store)
    job = await go.doubt(await go.claim(job, intent()), LOST, Phase.SENT, next_at=None)
    await go.deliver(job, delivery())
    assert booked(store) == Decimal("0.03")


async def test_a_second_paid_result_is_booked_beside_the_first(store: Store) -> None:
    (job,) = await stored(store, 1)
    go = store.transitions("test", lambda _job, _target: None, Redactor())
    first = await go.doubt(await go.claim(job, intent()), LOST, Phase.SENT, next_at=None)
    again = await go.claim(await go.resubmit(first, Decimal(1)), intent())
    assert booked(store) == 2 * WORST
    await go.keep_late(first, 1, delivery())
    await go.deliver(await go.accept(again, Accepted(remote_id="t")), delivery())
    assert booked(store) == Decimal("0.06")


async def test_a_claim_that_does_not_fit_is_refused_and_leaves_the_job_as_it_was(store: Store) -> None:
    jobs = await stored(store, 3, budget="0.10")
    go = verbs(store)
    for job in jobs[:2]:
        await go.claim(job, intent())
    with pytest.raises(BudgetReached) as refused:
        await go.claim(jobs[2], intent())
    assert not refused.value.per_day
    assert booked(store) == 2 * WORST
    assert await store.counts([jobs[0].batch_id]) == {State.SUBMITTING: 2, State.PENDING: 1}


async def test_of_claims_made_at_once_as_many_come_through_as_fit(store: Store) -> None:
    jobs = await stored(store, 40, budget="0.90")
    outcomes = await asyncio.gather(*(verbs(store).claim(job, intent()) for job in jobs), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Job) == 22
    assert sum(isinstance(outcome, BudgetReached) for outcome in outcomes) == 18
    assert booked(store) == Decimal("0.88")


async def test_money_that_comes_back_may_be_spent(store: Store) -> None:
    first, second = await stored(store, 2, budget="0.07")
    job = await running(store, first)
    with pytest.raises(BudgetReached):
        await verbs(store).claim(second, intent())
    await verbs(store).deliver(job, delivery())
    await verbs(store).claim(second, intent())
    assert booked(store) == Decimal("0.07")


async def test_the_budget_of_a_day_is_whole_again_on_the_next_one(store: Store, clock: StillClock) -> None:
    clock.move(DAY - clock.now() % DAY - 1)  # the last second of a UTC day
    first, second, third = await stored(store, 3, per_day="0.05")
    go = verbs(store)
    late = await running(store, first)
    with pytest.raises(BudgetReached) as refused:
        await go.claim(second, intent())
    assert refused.value.per_day
    clock.move(1)
    await go.claim(second, intent())
    await go.deliver(late, delivery())  # it began yesterday, and so it is booked there
    with pytest.raises(BudgetReached):
        await go.claim(third, intent())
    (today,) = await store.money_of_today()
    assert (today.budget, today.spent, today.reserved, today.left) == (Decimal("0.05"), Decimal(0), WORST, Decimal("0.01"))


async def test_a_budget_that_cannot_count_a_job_does_not_let_it_through(store: Store) -> None:
    unknown = NewJob(position=0, spec=new_job(0).spec, fingerprint="x")
    (job,) = await stored_as(store, [unknown], budget="100")
    (found,) = await store.unpriced([job.batch_id], None)
    assert (found.batch, found.account, found.example, found.was_sent) == ("mugs", "studio", "job-0", False)
    with pytest.raises(BudgetReached):
        await verbs(store).claim(job, intent())


async def test_an_attempt_of_unknown_price_is_named_and_counted_once_the_price_is_known(store: Store) -> None:
    spec = new_job(0)
    unknown = NewJob(position=0, spec=spec.spec, fingerprint=spec.fingerprint)
    (job,) = await stored_as(store, [unknown])
    await running(store, job)
    await store.set_budget(job.batch_id, Decimal(1))
    assert [found.was_sent for found in await store.unpriced([job.batch_id], None)] == [True]
    await stored_as(store, [spec])
    assert await store.unpriced([job.batch_id], None) == []
    assert booked(store) == WORST


async def test_a_charge_above_its_worst_case_is_booked_whatever_the_budget(store: Store) -> None:
    (job,) = await stored(store, 1, budget="0.04")
    await verbs(store).deliver(await running(store, job), replace(delivery(), cost=Decimal("0.50")))
    assert booked(store) == Decimal("0.50")
    (money,) = await store.money_of([job.batch_id])
    assert (money.spent, money.reserved, money.left) == (Decimal("0.50"), Decimal(0), Decimal(0))


async def test_a_budget_set_by_a_flag_outlasts_what_the_file_says(store: Store) -> None:
    (job,) = await stored(store, 1, budget="1")
    await stored(store, 1, budget="2")
    assert [money.budget for money in await store.money_of([job.batch_id])] == [2]
    await store.set_budget(job.batch_id, Decimal(7))
    await stored(store, 1, budget="3")
    assert [money.budget for money in await store.money_of([job.batch_id])] == [7]


async def test_books_are_kept_without_a_budget_and_so_a_late_one_finds_them(store: Store) -> None:
    first, second = await stored(store, 2)
    await verbs(store).claim(first, intent())
    await store.set_budget(first.batch_id, Decimal("0.07"))
    with pytest.raises(BudgetReached):
        await verbs(store).claim(second, intent())

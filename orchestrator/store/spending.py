"""What batches and accounts have spent, what that leaves of their budgets, and what stands in the way of keeping one."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.bookkeeping import DAY
from orchestrator.store.columns import NANO, Money

DAY_LENGTH = 86400


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """Money of one batch, or of one account's UTC day, in USD."""

    name: str
    """The batch's, or the account's."""
    budget: Decimal | None
    spent: Decimal
    """Settled."""
    reserved: Decimal
    """At worst, of attempts that are in flight, in doubt, or charged at a price that nobody told."""

    @property
    def left(self) -> Decimal | None:
        """USD that the budget still allows, never less than 0; None without a budget."""
        return None if self.budget is None else max(Decimal(0), self.budget - self.spent - self.reserved)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpriced:
    """Jobs or attempts that a budget should count and cannot: nobody knows what they cost at worst."""

    batch: str
    account: str
    model: str
    number: int
    example: str
    """Key of one of the jobs."""
    was_sent: bool
    """Whether money may have been spent already."""


async def of_batches(connection: AsyncConnection, batches: Sequence[int]) -> list[Spending]:
    """Return the money of each batch, oldest first."""
    return [_spending(row) for row in await connection.execute(_BATCHES, {"batches": list(batches)})]


async def of_accounts(connection: AsyncConnection, now: float) -> list[Spending]:
    """Return the money of the present UTC day of each account that has a budget per day, by name."""
    return [_spending(row) for row in await connection.execute(_ACCOUNTS, {"day": day_of(now)})]


async def unpriced(connection: AsyncConnection, batches: Sequence[int], only: str | None, now: float) -> list[Unpriced]:
    """Return what keeps the budgets of these batches and of their accounts from being kept."""
    facts = {"batches": list(batches), "only": only, "day": day_of(now)}
    to_send = (await connection.execute(_UNPRICED_JOBS, facts)).all()
    sent = (await connection.execute(_UNPRICED_ATTEMPTS, facts)).all()
    return [_unpriced(row, was_sent=False) for row in to_send] + [_unpriced(row, was_sent=True) for row in sent]


async def set_budget(connection: AsyncConnection, batch_id: int, amount: Decimal) -> None:
    """Give a batch a budget for good."""
    await connection.execute(_SET_BUDGET, {"batch": batch_id, "budget": amount})


def day_of(moment: float) -> int:
    """Return the UTC day of Unix seconds, counted from 1970-01-01."""
    return int(moment // DAY_LENGTH)


def _spending(row: Any) -> Spending:  # noqa: ANN401
    return Spending(
        name=row.name,
        budget=None if row.budget is None else row.budget / NANO,
        spent=(row.spent or 0) / NANO,
        reserved=(row.reserved or 0) / NANO,
    )


def _unpriced(row: Any, *, was_sent: bool) -> Unpriced:  # noqa: ANN401
    return Unpriced(
        batch=row.batch, account=row.account, model=row.model, number=row.number, example=row.example, was_sent=was_sent
    )


_SUMS = """
    sum(attempt.cost_settled) FILTER (WHERE attempt.charged <> 'no') AS spent,
    sum(attempt.cost_reserved) FILTER (WHERE attempt.charged <> 'no' AND attempt.cost_settled IS NULL) AS reserved
"""
_BATCHES = text(
    f"""
    SELECT batch.name, batch.budget, {_SUMS}
    FROM batch LEFT JOIN job ON job.batch_id = batch.id LEFT JOIN attempt ON attempt.job_id = job.id
    WHERE batch.id IN :batches GROUP BY batch.id ORDER BY batch.id
    """  # noqa: S608 - our own text
).bindparams(bindparam("batches", expanding=True))
_TODAY = DAY.format(row="attempt.") + " = :day"
_ACCOUNTS = text(
    f"""
    SELECT account.name, account.budget_per_day AS budget, {_SUMS}
    FROM account LEFT JOIN attempt ON attempt.account = account.name AND {_TODAY}
    WHERE account.budget_per_day IS NOT NULL GROUP BY account.name ORDER BY account.name
    """  # noqa: S608
)
_UNPRICED_JOBS = text(
    """
    SELECT batch.name AS batch, job.account, job.model, count(*) AS number, min(job.key) AS example
    FROM job JOIN batch ON batch.id = job.batch_id JOIN account ON account.name = job.account
    WHERE job.batch_id IN :batches AND job.state IN ('pending', 'blocked') AND NOT job.gone AND job.cost_worst IS NULL
        AND (:only IS NULL OR job.key GLOB :only) AND (batch.budget IS NOT NULL OR account.budget_per_day IS NOT NULL)
    GROUP BY batch.id, job.account, job.model
    """
).bindparams(bindparam("batches", expanding=True))
_UNPRICED_ATTEMPTS = text(
    f"""
    SELECT batch.name AS batch, attempt.account, job.model, count(*) AS number, min(job.key) AS example
    FROM attempt JOIN job ON job.id = attempt.job_id JOIN batch ON batch.id = job.batch_id
        JOIN account ON account.name = attempt.account
    WHERE attempt.charged <> 'no' AND attempt.cost_settled IS NULL AND attempt.cost_reserved IS NULL
        AND ((batch.budget IS NOT NULL AND batch.id IN :batches) OR (account.budget_per_day IS NOT NULL AND {_TODAY}))
    GROUP BY batch.id, attempt.account, job.model
    """  # noqa: S608
).bindparams(bindparam("batches", expanding=True))
_SET_BUDGET = text("UPDATE batch SET budget = :budget, budget_lasts = 1 WHERE id = :batch").bindparams(
    bindparam("budget", type_=Money)
)

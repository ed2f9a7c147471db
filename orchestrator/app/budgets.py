"""Budgets around a run: what keeps one from being kept, what they leave before it, and which one ended it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orchestrator.engine.budget import Shortage
from orchestrator.engine.queue import Scope
from orchestrator.jobs.places import BadInput, Problem
from orchestrator.store.spending import Spending, Unpriced
from orchestrator.store.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """A budget that ended a run."""

    shortage: Shortage
    money: Spending
    enough: Decimal | None
    """USD that the batch's budget would have to be for all that is left to fit; None for a day's, or where a price is unknown."""


async def check_prices(store: Store, scope: Scope) -> None:
    """Raise `BadInput` where a budget would have to count what nobody knows."""
    problems = [Problem(message=_unknown(found)) for found in await store.unpriced(scope.batches, scope.only)]
    if problems:
        raise BadInput(problems)


def _unknown(found: Unpriced) -> str:
    what = f"{found.number} attempts already made" if found.was_sent else f"{found.number} jobs"
    about = f"the cost of {what} of batch {found.batch} is not known (e.g. {found.example})"
    remedy = f"say the price of {found.model} in prices of account {found.account}, and `run` the file again"
    return f"{about}, and a budget cannot be kept without it; {remedy}"


async def left_before(store: Store, scope: Scope) -> Mapping[str, Any]:
    """Return what the budgets of a run allow, for the line that opens it."""
    batches = await store.money_of(scope.batches)
    limited = [money for money in batches if money.budget is not None]
    return {
        "budget": _sum([money.budget for money in limited]) if limited else None,
        "budget_left": _sum([money.left for money in limited]) if limited else None,
        "batches_without_budget": len(batches) - len(limited),
        "budgets_per_day": {money.name: _day(money) for money in await _today(store, scope)},
    }


async def reached(store: Store, scope: Scope, shortages: Sequence[Shortage]) -> tuple[Reached, ...]:
    """Return the budgets that ended a run, with their figures at its end."""
    money_of = await store.money_of(scope.batches)
    batches = {money.name: (batch, money) for batch, money in zip(sorted(scope.batches), money_of, strict=True)}
    days = {money.name: money for money in await store.money_of_today()}
    found = []
    for shortage in shortages:
        if shortage.per_day:
            found.append(Reached(shortage=shortage, money=days[shortage.account], enough=None))
        else:
            batch, money = batches[shortage.batch]
            found.append(Reached(shortage=shortage, money=money, enough=await _enough(store, batch, money)))
    return tuple(found)


async def _enough(store: Store, batch: int, money: Spending) -> Decimal | None:
    to_send = await store.to_send([batch], None, None)
    return None if to_send.unpriced else money.spent + money.reserved + to_send.worst


async def _today(store: Store, scope: Scope) -> list[Spending]:
    used = await store.accounts_of(scope.batches)
    return [money for money in await store.money_of_today() if money.name in used]


def _day(money: Spending) -> dict[str, str]:
    return {"budget": f"{money.budget:f}", "left": f"{money.left:f}"}


def _sum(amounts: Sequence[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))

"""What is said of budgets."""

from datetime import UTC, datetime
from decimal import Decimal

from orchestrator.app import Reached
from orchestrator.cli.again import Again
from orchestrator.cli.words import harmless, money, rounded_down
from orchestrator.store.spending import DAY_LENGTH, Spending


def figures(spending: Spending) -> str:
    """Return what a budget was spent on: `$1.00; $0.84 spent, $0.10 reserved, $0.06 left`."""
    if spending.budget is None or spending.left is None:
        return f"none; {money(spending.spent)} spent, {money(spending.reserved)} reserved"
    over = spending.spent + spending.reserved - spending.budget
    rest = f"{money(over)} above it" if over > 0 else f"{rounded_down(spending.left)} left"
    return f"{money(spending.budget)}; {money(spending.spent)} spent, {money(spending.reserved)} reserved, {rest}"


def budget_reached(reached: Reached, again: Again) -> str:
    """Return the line of a budget that ended a run: its figures, what the next job needs, and how to go on."""
    shortage = reached.shortage
    need = "is of unknown price" if shortage.needed is None else f"needs up to {money(shortage.needed)}"
    head = f"of {harmless(shortage.account)} for today (UTC)" if shortage.per_day else f"of {harmless(shortage.batch)}"
    return f"{head}: {figures(reached.money)}; {harmless(shortage.key)} {need}; {_way_on(reached, again)}"


def _way_on(reached: Reached, again: Again) -> str:
    shortage = reached.shortage
    if shortage.needed is None:
        return f"say the price in prices of account {harmless(shortage.account)} and `run` the file again"
    resume = again.line("resume", shortage.batch)
    if shortage.per_day:
        reset = datetime.fromtimestamp((shortage.day + 1) * DAY_LENGTH, UTC)
        return f"from {reset:%Y-%m-%d %H:%M} UTC on, or with a higher budget_per_day: {resume}"
    if reached.enough is None:
        return f"raise it with --budget: {resume}"
    return f"enough for all that is left: {again.line('resume', shortage.batch, '--budget', _amount(reached.enough))}"


def _amount(amount: Decimal) -> str:
    return money(amount).removeprefix("$")

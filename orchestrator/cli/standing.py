"""`status`: how batches stand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.cli import doubtful as doubts
from orchestrator.cli.budget_words import figures
from orchestrator.cli.event_words import json_line, spent, stake
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.words import brief, counted, day_and_time, harmless, money, state_counts
from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.lifecycle import State
from orchestrator.store.reading import Overview
from orchestrator.store.spending import Spending


async def status(batch: str | None, where: Where, voice: Voice) -> int:
    """Print a block per batch, or one JSON object, and return 0 whatever the states."""
    app = app_of(where)
    overviews = await app.overviews(batch)
    paused = await app.paused_accounts()
    days = await app.money_of_today()
    for overview in overviews:
        rows = await doubts.doubtful(app, overview)
        if voice.json:
            print(json_line(_record(overview, paused, days) | {"uncertain": [doubts.record(row) for row in rows]}))
        else:
            print("\n".join([*_block(overview), *_uncertain(overview, rows)]))
    if not voice.json:
        for account, why in paused.items():
            print(f"paused: {harmless(account)}: {brief(why)}; `orchestrator resume` tries it again")
        for day in days:
            print(f"budget per day: {harmless(day.name)}: {figures(day)} today (UTC)")
        if not overviews:
            print(f"no batch in {harmless(str(app.database))}")
    return 0


def _block(overview: Overview) -> Iterator[str]:
    jobs = sum(overview.states.values())
    yield f"{harmless(overview.batch.name)}  ({harmless(overview.batch.source)}, {day_and_time(overview.batch.created_at)})"
    yield f"  jobs      {jobs}: {state_counts(overview.states)}" if jobs else "  jobs      none"
    yield f"  images    {overview.images_saved} of {overview.images_asked} saved{_short(overview)}"
    if overview.degraded:
        yield f"  degraded  {counted(overview.degraded, 'image')} not as asked for: kept, and told of in the manifest"
    estimated = "unknown" if overview.estimated is None else money(overview.estimated)
    yield f"  cost      {spent(overview.spent, overview.unknown_costs)} so far; estimated {estimated} in all"
    if overview.batch.budget is not None:
        yield f"  budget    {figures(overview.spending)}"
    if overview.at_stake or overview.unpriced_at_stake:
        yield f"  at stake  {stake(overview.at_stake, overview.unpriced_at_stake)}: perhaps paid, without a result"
    if overview.earliest_deadline is not None:
        yield f"  deadline  {day_and_time(overview.earliest_deadline)}: until then the next result must be downloaded"
    if overview.gone:
        yield f"  gone      {counted(overview.gone, 'job')} no longer in the file: kept, not sent"


def _uncertain(overview: Overview, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    label = "uncertain"
    for line in doubts.lines(rows, overview.states.get(State.UNCERTAIN, 0)):
        yield f"  {label:<9} {line}"
        label = ""


def _short(overview: Overview) -> str:
    return f"; {counted(overview.partial, 'job')} with fewer than asked for" if overview.partial else ""


def _record(overview: Overview, paused: Mapping[str, str], days: Sequence[Spending]) -> dict[str, Any]:
    deadline = overview.earliest_deadline
    return {
        "batch": overview.batch.name,
        "source": overview.batch.source,
        "created_at": text_of(overview.batch.created_at),
        "states": {str(state): jobs for state, jobs in overview.states.items()},
        "gone": overview.gone,
        "partial": overview.partial,
        "images_asked": overview.images_asked,
        "images_saved": overview.images_saved,
        "degraded": overview.degraded,
        "cost_estimated": overview.estimated,
        "cost_actual": overview.spent,
        "unknown_costs": overview.unknown_costs,
        "budget": overview.batch.budget,
        "reserved": overview.reserved,
        "budget_left": overview.spending.left,
        "at_stake": overview.at_stake,
        "unpriced_at_stake": overview.unpriced_at_stake,
        "earliest_deadline": None if deadline is None else text_of(deadline),
        "paused_accounts": dict(paused),
        "budgets_per_day": {day.name: {"budget": day.budget, "left": day.left} for day in days},
    }

"""`plan`: what a run would send, what it would cost, and how far the budgets reach."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.cli.budget_words import figures
from orchestrator.cli.checking import say_warnings
from orchestrator.cli.event_words import costs, json_line
from orchestrator.cli.options import Pace, Reading, Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.words import counted, harmless, listed, money, state_counts
from orchestrator.engine.intake import Totals
from orchestrator.engine.planning import Plan, Reach
from orchestrator.engine.timing import Timing
from orchestrator.jobs.durations import human
from orchestrator.jobs.forecast import Binding


async def plan(file: Path, budget: Decimal | None, where: Where, voice: Voice, reading: Reading) -> int:
    """Print the plan and return 0; raise `BadInput` with every problem."""
    app = app_of(where, reading, Pace(budget=budget))
    found = await app.plan(file)
    say_warnings(app, voice)
    print(json_line(_record(found)) if voice.json else "\n".join(_lines(found)))
    return 0


def _lines(found: Plan) -> Iterator[str]:
    yield f"{harmless(found.batch)}: {_size(found.asked)} in the file; nothing was sent"
    yield f"  to send   {_priced(found.to_send) if found.to_send.jobs else 'nothing'}"
    for part in found.parts if len(found.parts) > 1 else ():
        yield f"            {harmless(part.account)}, {part.provider} {harmless(part.model)}: {_priced(part.totals)}"
    if len(found.parts) == 1:
        yield f"            all by {harmless(found.parts[0].account)}, {found.parts[0].provider} {harmless(found.parts[0].model)}"
    if found.there:
        yield f"  stored    {state_counts(found.there)}: not sent by a run"
    if found.changed:
        yield f"  changed   {listed(found.changed)}: asked for otherwise when stored; `run` needs --changed keep or replace"
    for timing in found.times if found.to_send.jobs else ():
        yield f"  time      {_time(timing)}"
    yield f"  budget    {_reach(found.budget) if found.budget else 'none'}"
    for day in found.days:
        yield f"            {harmless(day.money.name)} per day: {_reach(day)}"


def _time(timing: Timing) -> str:
    account = harmless(timing.account)
    if timing.seconds is None:
        return f"{account}: unknown until its first answers; set ipm, rpm or tier to know it now"
    about = "at least" if timing.at_least else "about"
    said = f"{account}: {about} {human(timing.seconds)}, bound by {timing.binding} {timing.limit}"
    if timing.gain is None:
        return f"{said}: a higher concurrency or outstanding gains nothing"
    gain, more = timing.gain, f"{timing.binding} {timing.gain.value} would take {human(timing.gain.seconds)}"
    if timing.binding is Binding.OUTSTANDING:
        return f"{said}; {more} and put nothing more in doubt"
    stake = f", {money(gain.at_risk)} at worst" if gain.at_risk is not None else ""
    return f"{said}; {more}, and a crash could put {gain.value} requests in doubt{stake}"


def _size(totals: Totals) -> str:
    return f"{counted(totals.jobs, 'job')}, {counted(totals.images, 'image')}"


def _priced(totals: Totals) -> str:
    return f"{_size(totals)}; {costs(asdict(totals))}"


def _reach(reach: Reach) -> str:
    if reach.at_worst == reach.jobs:
        return f"{figures(reach.money)}; enough for all, even at worst"
    likely = "all" if reach.likely == reach.jobs else str(reach.likely)
    fitting = f"{reach.at_worst} of {counted(reach.jobs, 'job')} at worst, {likely} at what is likely"
    return f"{figures(reach.money)}; enough for {fitting}"


def _record(found: Plan) -> dict[str, Any]:
    return {
        "batch": found.batch,
        "in_file": _figures(found.asked),
        "to_send": _figures(found.to_send),
        "parts": [
            {"account": part.account, "provider": part.provider, "model": part.model, **_figures(part.totals)}
            for part in found.parts
        ],
        "stored": {str(state): jobs for state, jobs in found.there.items()},
        "changed": list(found.changed),
        "budget": _reach_record(found.budget) if found.budget else None,
        "times": [_texts(_flat(asdict(timing))) for timing in found.times],
        "budgets_per_day": {day.money.name: _reach_record(day) for day in found.days},
    }


def _figures(totals: Totals) -> dict[str, Any]:
    return _texts(asdict(totals))


def _reach_record(reach: Reach) -> dict[str, Any]:
    money = reach.money
    amounts = {"amount": money.budget, "spent": money.spent, "reserved": money.reserved, "left": money.left}
    return _texts({**amounts, "jobs": reach.jobs, "jobs_at_worst": reach.at_worst, "jobs_likely": reach.likely})


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    gain = record.pop("gain")
    return {**record, "gain": None if gain is None else _texts(gain)}


def _texts(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in record.items()}

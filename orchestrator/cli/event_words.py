"""Events as lines: `12:00:03 job_failed key=mug code=refused message="..."` for logs, sentences for what opens a run."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from orchestrator.cli.options import Voice
from orchestrator.cli.words import (
    LONGEST_MESSAGE,
    brief,
    counted,
    harmless,
    listed,
    money,
    money_and_unknown,
    rounded_down,
    time_of_day,
)
from orchestrator.engine.news import Event

TROUBLE = frozenset(
    {"job_failed", "part_failed", "job_uncertain", "job_overcharged", "account_paused", "halted", "store_unavailable"}
)
"""Told even to those who want silence."""
NOTABLE = TROUBLE | {
    "awaiting_calls",
    "calls_turned_away",
    "gate_stays_closed",
    "job_held",
    "listening",
    "notice_failed",
    "serving_failed",
    "result_asked_again",
    "task_adopted",
    "task_found",
}
"""Told without being asked for; the rest with -v."""
OPENING = frozenset({"batch_stored", "run_started"})
"""Told as sentences."""

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+$%")


def is_told(event: Event, voice: Voice) -> bool:
    """Say whether an event becomes a line."""
    if voice.quiet:
        return event.name in TROUBLE
    return voice.verbose or event.name in NOTABLE


def log_line(event: Event) -> str:
    """Return an event with its keys; what is unknown is left out."""
    named = {"key": event.key, **event.facts, "batch": event.batch}
    return keyed_line(event.time, event.name, named)


def keyed_line(moment: float, name: str, values: Mapping[str, Any]) -> str:
    """Return one log line of a time (Unix seconds), a name and values."""
    pairs = [f"{key}={_value(value)}" for key, value in values.items() if value is not None]
    return " ".join([time_of_day(moment), name, *pairs])


def opening(event: Event) -> str:
    """Return the sentence of an event that opens a run."""
    return _stored(event.facts) if event.name == "batch_stored" else _started(event.facts)


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as one JSON object."""
    from orchestrator.jobs.deadlines import text_of  # noqa: PLC0415 - only --json needs it

    key = {"key": event.key} if event.key is not None else {}
    facts = {name: _json_value(value) for name, value in event.facts.items()}
    return {"event": event.name, "time": text_of(event.time), "batch": event.batch, **key, **facts}


def json_line(record: Mapping[str, Any]) -> str:
    """Return a record on one line that any terminal and any reader can take: everything beyond ASCII is escaped."""
    return json.dumps(record, default=str)


def _json_value(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        value = [f"{name}:{each}" for name, each in value.items()]
    if isinstance(value, (list, tuple)):
        return json.dumps(listed(value), ensure_ascii=False)
    text = str(value)
    if text and _BARE.issuperset(text) and len(text) <= LONGEST_MESSAGE:
        return text
    quoted = brief(text).replace('"', "'")
    return f'"{quoted}"'


def _stored(facts: Mapping[str, Any]) -> str:
    parts = [f"{counted(facts['added'], 'new job')} stored"]
    if facts["known"]:
        parts.append(f"{counted(facts['known'], 'job')} known already")
    if facts["gone"]:
        parts.append(f"{counted(facts['gone'], 'job')} no longer in the file and not sent")
    if facts["kept"]:
        parts.append(f"changed in the file, kept as stored: {listed(facts['kept'])}")
    if facts["replaced"]:
        parts.append(f"replaced: {listed(facts['replaced'])}")
    return "; ".join(parts)


def _started(facts: Mapping[str, Any]) -> str:
    if not facts["jobs"]:
        return "nothing new to send"
    said = [f"{counted(facts['jobs'], 'job')} to send", counted(facts["images"], "image"), costs(facts)]
    if facts["simulated"]:
        said.append("rehearsal at the built-in simulator: nothing is paid")
    return "; ".join([*said, *_budgets(facts)])


def _budgets(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["budget"] is not None:
        besides = facts["batches_without_budget"]
        others = f", and {besides} without one" if besides else ""
        yield _limit("budget", facts["budget"], facts["budget_left"]) + others
    for account, day in facts["budgets_per_day"].items():
        name = f"budget per day of {harmless(account)}"
        yield _limit(name, Decimal(day["budget"]), Decimal(day["left"]))
    if facts["budget"] is None and not facts["budgets_per_day"] and not facts["simulated"]:
        yield "no budget"


def _limit(name: str, budget: Decimal, left: Decimal) -> str:
    return f"{name} {money(budget)}" if left == budget else f"{name} {money(budget)}, {rounded_down(left)} left"


def costs(facts: Mapping[str, Any]) -> str:
    """Return likely and worst cost in USD, and for how many jobs nobody knows it."""
    unknown = f"price unknown for {counted(min(facts['unpriced'], facts['jobs']), 'job')}"
    if facts["unpriced"] >= facts["jobs"]:
        return unknown
    known = f"likely {money(facts['likely'])}, at most {money(facts['worst'])}"
    return f"{known}, {unknown}" if facts["unpriced"] else known


def stake(amount: Decimal, unpriced: int) -> str:
    """Return what uncertain attempts cost at worst: `at most $1.20, 3 of unknown price`."""
    if not unpriced:
        return f"at most {money(amount)}"
    return f"at most {money(amount)}, {unpriced} of unknown price" if amount else f"{unpriced} of unknown price"


def spent(amount: Decimal, unpriced: int) -> str:
    """Return what was paid so far."""
    return money_and_unknown(amount, unpriced)

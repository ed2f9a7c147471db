"""Uncertain attempts by name: what is known of each, and what it may have cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.app import App
from orchestrator.cli.words import counted, harmless, money
from orchestrator.jobs.attempts import Phase
from orchestrator.jobs.lifecycle import State
from orchestrator.store.operators import Selection
from orchestrator.store.reading import Overview

MOST_SHOWN = 20
"""Attempts that a person is shown; more are counted."""
_MOST_TOLD = 1000
"""Attempts that a program is told."""

_PHASES = {
    Phase.NONE: "nobody knows whether it was sent",
    Phase.CONNECTING: "it was not sent whole",
    Phase.SENT: "it was sent whole, and no answer came",
    Phase.ANSWERED: "an answer came that proves nothing",
}


async def doubtful(app: App, overview: Overview) -> Sequence[Mapping[str, Any]]:
    """Return the uncertain jobs of a batch as flat rows, in file order."""
    if not overview.states.get(State.UNCERTAIN):
        return []
    return await app.jobs(Selection(batch_id=overview.batch.id, states=(State.UNCERTAIN,)), _MOST_TOLD)


def lines(rows: Sequence[Mapping[str, Any]], total: int) -> Iterator[str]:
    """Yield one line an attempt, and how many more there are."""
    for row in rows[:MOST_SHOWN]:
        yield f"{harmless(row['key'])}: {'; '.join(_known(row))}"
    if total > MOST_SHOWN:
        yield f"and {counted(total - MOST_SHOWN, 'more job')}: `orchestrator jobs --state uncertain` lists them"


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same as data."""
    return {
        "key": row["key"],
        "attempt": row["number"],
        "reason": row["reason"],
        "phase": row["phase"],
        "elapsed": _elapsed(row),
        "http_status": row["http_status"],
        "request_id": row["request_id"],
        "remote_id": row["remote_id"],
        "cost_worst": row["cost_reserved"],
        "still_looked_for": row["next_at"] is not None,
    }


def _known(row: Mapping[str, Any]) -> Iterator[str]:
    elapsed = _elapsed(row)
    yield f"attempt {row['number']}, {row['reason']}" + (f" after {elapsed:.1f} s" if elapsed is not None else "")
    yield _PHASES[Phase(row["phase"])]
    for name, label in (("http_status", "HTTP"), ("request_id", "request"), ("remote_id", "task")):
        if row[name] is not None:
            yield f"{label} {harmless(str(row[name]))}"
    yield "of unknown price" if row["cost_reserved"] is None else f"at most {money(row['cost_reserved'])}"
    if row["next_at"] is not None:
        yield "still looked for"


def _elapsed(row: Mapping[str, Any]) -> float | None:
    return None if row["doubted_at"] is None else round(row["doubted_at"] - row["started_at"], 3)

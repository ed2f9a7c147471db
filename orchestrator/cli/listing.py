"""`jobs`: a list of jobs, filtered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.columns import print_columns
from orchestrator.cli.event_words import json_line
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import say
from orchestrator.cli.words import brief, counted, harmless
from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.store.operators import Selection

_TIMES = ("next_at", "deadline")
_SHOWN = ("batch", "key", "state", "partial", "account", "provider", "model", "attempts", "remote_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which jobs to list."""

    batch: str | None
    states: tuple[State, ...]
    code: ErrorCode | None
    key: str | None
    limit: int


async def jobs(wanted: Filter, where: Where, voice: Voice) -> int:
    """Print the jobs and return 0; raise `NotFound` for a batch that is not there."""
    app = app_of(where)
    batch = (await app.overviews(wanted.batch))[0].batch.id if wanted.batch is not None else None
    selection = Selection(
        batch_id=batch, keys=(wanted.key,) if wanted.key else None, states=wanted.states or None, code=wanted.code
    )
    rows = await app.jobs(selection, wanted.limit + 1)
    shown = rows[: wanted.limit]
    if voice.json:
        for row in shown:
            print(json_line(_record(row)))
    else:
        print_columns(("BATCH", "KEY", "STATE", "MODEL", "TRIES", "WHY"), [list(_cells(row)) for row in shown])
    if len(rows) > wanted.limit and not voice.quiet:
        say(f"only the first {counted(wanted.limit, 'job')}; more with --limit")
    return 0


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    yield harmless(row["batch"])
    yield harmless(row["key"])
    yield f"{row['state']}, partial" if row["partial"] else row["state"]
    yield harmless(row["model"])
    yield str(row["attempts"])
    code = _code(row)
    yield f"{code}: {brief(row['error_message'])}" if row["error_message"] else code


def _code(row: Mapping[str, Any]) -> str:
    if row["error_code"]:
        return str(row["error_code"])
    return str(row["reason"] or "") if row["state"] == State.UNCERTAIN else ""


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    code = _code(row)
    error = {"code": code, "message": row["error_message"]} if code else None
    times = {name: None if row[name] is None else text_of(row[name]) for name in _TIMES}
    return {**{name: row[name] for name in _SHOWN}, "partial": bool(row["partial"]), "error": error, **times}

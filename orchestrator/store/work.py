"""What the engine asks: which jobs can move, and what is known of them. Every question is served by an index."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.attempts import ImageState
from orchestrator.jobs.forecast import Left
from orchestrator.jobs.lifecycle import FINAL, State
from orchestrator.store import specs
from orchestrator.store.columns import NANO, quoted
from orchestrator.store.records import Image, Job

COLUMNS = """
    job.id, job.batch_id, batch.name AS batch, job.key, job.account, job.provider, job.model, job.n, job.priority, job.spec,
    job.state, job.attempt_id, job.attempts, job.tries, job.throttles, job.next_at, job.known_at, job.deadline,
    job.partial, job.part, job.parts_saved, job.cost_likely, job.cost_worst, attempt.remote_id, attempt.answered_at,
    attempt.cost_reserved, EXISTS (SELECT 1 FROM parent WHERE parent.parent_id = job.id) AS children
"""
_FROM = "FROM job JOIN batch ON batch.id = job.batch_id LEFT JOIN attempt ON attempt.id = job.attempt_id"
_MINE = "job.account = :account AND NOT job.gone AND (:only IS NULL OR job.key GLOB :only)"

# The state stands in the text, not in a parameter: else SQLite could not use the partial indexes. The plus keeps it from going
# through all jobs of a batch for the few that are postponed.
_FRESH = text(
    f"SELECT {COLUMNS} {_FROM} WHERE job.state = 'pending' AND job.next_at IS NULL AND job.batch_id IN :batches AND {_MINE} "
    "ORDER BY job.priority DESC, job.id LIMIT :limit"
).bindparams(bindparam("batches", expanding=True))
_DUE = text(
    f"SELECT {COLUMNS} {_FROM} WHERE job.state = 'pending' AND job.next_at <= :now AND +job.batch_id IN :batches AND {_MINE} "
    "ORDER BY job.next_at, job.id LIMIT :limit"
).bindparams(bindparam("batches", expanding=True))
_IN_STATE = text(
    f"SELECT {COLUMNS} {_FROM} WHERE job.state IN :states AND job.state IN "
    "('submitting', 'running', 'ready', 'downloading', 'uncertain') AND job.id > :after "
    "AND job.batch_id IN :batches ORDER BY job.id LIMIT :limit"
).bindparams(bindparam("states", expanding=True), bindparam("batches", expanding=True))
_ONE = text(f"SELECT {COLUMNS} {_FROM} WHERE job.id = :id")
_IMAGES = text('SELECT * FROM image WHERE job_id = :job_id AND attempt_id = :attempt_id ORDER BY "index"')
_MOST_AT_ONCE = 500
_USED_UP = text(
    "SELECT id FROM attempt WHERE id IN :attempts AND state = 'delivered' "
    "AND NOT EXISTS (SELECT 1 FROM image WHERE image.attempt_id = attempt.id AND image.state IN ('wanted', 'lost'))"
).bindparams(bindparam("attempts", expanding=True))
_COUNTS = text("SELECT state, count(*) AS jobs FROM job WHERE batch_id IN :batches AND NOT gone GROUP BY state").bindparams(
    bindparam("batches", expanding=True)
)
_LEFT = text(
    """
    SELECT account, sum(CASE WHEN json_extract(spec, '$.fan_out') THEN n - part ELSE 1 END) AS requests,
        sum(CASE WHEN json_extract(spec, '$.fan_out') THEN n - part ELSE n END) AS images
    FROM job WHERE batch_id IN :batches AND state IN ('pending', 'blocked') AND NOT gone GROUP BY account
    """
).bindparams(bindparam("batches", expanding=True))
_ACCOUNTS = text("SELECT DISTINCT account FROM job WHERE batch_id IN :batches").bindparams(bindparam("batches", expanding=True))
_UNFINISHED = text(
    f"SELECT 1 FROM job WHERE batch_id = :batch AND NOT gone AND state NOT IN ({quoted(sorted(FINAL))}) LIMIT 1"  # noqa: S608
)
_TO_SEND = text(
    """
    SELECT count(*) AS jobs, sum(n) AS images, sum(cost_likely) AS likely, sum(cost_worst) AS worst,
        count(*) FILTER (WHERE cost_worst IS NULL) AS unpriced
    FROM (
        SELECT n, cost_likely, cost_worst FROM job
        WHERE state = 'pending' AND batch_id IN :batches AND NOT gone AND (:only IS NULL OR key GLOB :only)
        ORDER BY priority DESC, id LIMIT :limit
    )
    """
).bindparams(bindparam("batches", expanding=True))
_NEXT_DUE = text(
    "SELECT min(next_at) FROM job "
    "WHERE state = 'pending' AND next_at IS NOT NULL AND +batch_id IN :batches AND account = :account"
).bindparams(bindparam("batches", expanding=True))


def job_of(row: Any) -> Job:  # noqa: ANN401
    """Return the job of a row with `COLUMNS`."""
    facts = dict(zip(row._fields, row, strict=True))  # a dict answers faster than a row, and is asked 27 times
    spec = specs.from_row(facts, json.loads(facts["spec"]))
    likely, worst, reserved = facts["cost_likely"], facts["cost_worst"], facts["cost_reserved"]
    return Job(
        id=facts["id"],
        batch_id=facts["batch_id"],
        batch=facts["batch"],
        spec=spec,
        state=State(facts["state"]),
        attempt_id=facts["attempt_id"],
        remote_id=facts["remote_id"],
        attempts=facts["attempts"],
        tries=facts["tries"],
        throttles=facts["throttles"],
        next_at=facts["next_at"],
        known_at=facts["known_at"],
        deadline=facts["deadline"],
        answered_at=facts["answered_at"],
        partial=bool(facts["partial"]),
        children=bool(facts["children"]),
        part=facts["part"],
        parts_saved=facts["parts_saved"],
        cost_likely=None if likely is None else likely / NANO / spec.requests,
        cost_worst=None if worst is None else worst / NANO / spec.requests,
        cost_reserved=None if reserved is None else reserved / NANO,
    )


async def candidates(
    connection: AsyncConnection, *, account: str, batches: Sequence[int], only: str | None, now: float, limit: int
) -> list[Job]:
    """Return pending jobs of an account that may be sent now: those whose wait is over first, then by priority and age."""
    facts = {"account": account, "batches": list(batches), "only": only, "now": now, "limit": limit}
    due = (await connection.execute(_DUE, facts)).all()
    rows = [*due]
    if len(due) < limit:
        rows += (await connection.execute(_FRESH, {**facts, "limit": limit - len(due)})).all()
    return [job_of(row) for row in rows]


async def in_state(
    connection: AsyncConnection, states: Sequence[State], *, batches: Sequence[int], after: int, limit: int
) -> list[Job]:
    """Return jobs in the given in-flight states by id, those above `after`."""
    facts = {"states": list(states), "batches": list(batches), "after": after, "limit": limit}
    return [job_of(row) for row in (await connection.execute(_IN_STATE, facts)).all()]


async def one(connection: AsyncConnection, job_id: int) -> Job:
    """Return one job, whatever its state."""
    return job_of((await connection.execute(_ONE, {"id": job_id})).one())


async def find(connection: AsyncConnection, job_id: int) -> Job | None:
    """Return one job, whatever its state; None if there is none."""
    row = (await connection.execute(_ONE, {"id": job_id})).first()
    return None if row is None else job_of(row)


async def images(connection: AsyncConnection, job: Job) -> list[Image]:
    """Return the images of a job's latest attempt, by index."""
    rows = (await connection.execute(_IMAGES, {"job_id": job.id, "attempt_id": job.attempt_id})).all()
    return [
        Image(
            attempt_id=row.attempt_id,
            index=row._mapping["index"],  # noqa: SLF001 - a tuple has an `index` of its own
            state=ImageState(row.state),
            url=row.url,
            base64=row.base64,
            deadline=row.deadline,
            tries=row.tries,
            refetches=row.refetches,
            file=row.file,
            sha256=row.sha256,
        )
        for row in rows
    ]


async def used_up(connection: AsyncConnection, attempts: Sequence[str]) -> list[str]:
    """Return those of the attempts that were delivered and of which no image is wanted or lost."""
    found: list[str] = []
    for start in range(0, len(attempts), _MOST_AT_ONCE):
        rows = await connection.execute(_USED_UP, {"attempts": list(attempts[start : start + _MOST_AT_ONCE])})
        found += rows.scalars()
    return found


async def counts(connection: AsyncConnection, batches: Sequence[int]) -> dict[State, int]:
    """Return how many jobs stand in each state; rows that left their file are not counted."""
    rows = (await connection.execute(_COUNTS, {"batches": list(batches)})).all()
    return {State(row.state): row.jobs for row in rows}


@dataclass(frozen=True, kw_only=True, slots=True)
class ToSend:
    """What is still to be submitted."""

    jobs: int
    images: int
    likely: Decimal
    """USD, of the jobs whose price is known."""
    worst: Decimal
    unpriced: int
    """Jobs whose price nobody knows."""


async def to_send(connection: AsyncConnection, batches: Sequence[int], only: str | None, limit: int | None) -> ToSend:
    """Return the figures of the pending jobs of these batches, of the first `limit` ones if there is a limit."""
    facts = {"batches": list(batches), "only": only, "limit": -1 if limit is None else limit}
    row = (await connection.execute(_TO_SEND, facts)).one()
    return ToSend(
        jobs=row.jobs,
        images=row.images or 0,
        likely=(row.likely or 0) / NANO,
        worst=(row.worst or 0) / NANO,
        unpriced=row.unpriced,
    )


async def left(connection: AsyncConnection, batches: Sequence[int]) -> dict[str, Left]:
    """Return what each account has still to send of these batches."""
    rows = await connection.execute(_LEFT, {"batches": list(batches)})
    return {row.account: Left(requests=row.requests, images=row.images) for row in rows}


async def accounts_of(connection: AsyncConnection, batches: Sequence[int]) -> set[str]:
    """Return the accounts that these batches have jobs for."""
    rows = await connection.execute(_ACCOUNTS, {"batches": list(batches)})
    return set(rows.scalars())


async def is_unfinished(connection: AsyncConnection, batch: int) -> bool:
    """Say whether a batch has jobs that are not at their end."""
    return (await connection.execute(_UNFINISHED, {"batch": batch})).first() is not None


async def next_due(connection: AsyncConnection, *, account: str, batches: Sequence[int]) -> float | None:
    """Return the Unix seconds at which the next postponed job of an account is due."""
    found: float | None = (await connection.execute(_NEXT_DUE, {"account": account, "batches": list(batches)})).scalar_one()
    return found

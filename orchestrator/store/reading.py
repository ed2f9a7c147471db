"""What people ask: how a batch stands, and which jobs there are."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.lifecycle import State
from orchestrator.store.operators import Selection
from orchestrator.store.rows import dollars, plain
from orchestrator.store.spending import Spending, of_batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A batch as the store knows it."""

    id: int
    name: str
    source: str
    created_at: float
    budget: Decimal | None
    """USD that it may cost in all; None is without limit."""
    budget_lasts: bool
    """Whether a flag set it, which the file does not replace."""
    weight: int = 1
    """Its share of an account beside other batches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownJob:
    """What a file that is read again is compared with."""

    fingerprint: str
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """How a batch stands."""

    batch: Batch
    states: dict[State, int]
    gone: int
    partial: int
    images_asked: int
    images_saved: int
    degraded: int
    """Saved images that are not what was asked for."""
    estimated: Decimal | None
    """USD of all jobs, likely; None while any price is unknown."""
    spent: Decimal
    """USD settled."""
    reserved: Decimal
    """USD at worst of the attempts in flight, in doubt, or charged without a figure."""
    unknown_costs: int
    """Charged attempts whose cost nobody told."""
    at_stake: Decimal
    """USD at worst of the attempts that may have been charged."""
    unpriced_at_stake: int
    """Such attempts without a known worst cost."""
    earliest_deadline: float | None

    @property
    def spending(self) -> Spending:
        """What the batch has spent, and what its budget leaves."""
        return Spending(name=self.batch.name, budget=self.batch.budget, spent=self.spent, reserved=self.reserved)


async def batches(connection: AsyncConnection) -> list[Batch]:
    """Return all batches, oldest first."""
    columns = "id, name, source, created_at, budget, budget_lasts, weight"
    return [_batch(row) for row in await connection.execute(text(f"SELECT {columns} FROM batch ORDER BY id"))]  # noqa: S608


def _batch(row: Row[Any]) -> Batch:
    budget = None if row.budget is None else dollars(row.budget)
    return Batch(
        id=row.id,
        name=row.name,
        source=row.source,
        created_at=row.created_at,
        budget=budget,
        budget_lasts=bool(row.budget_lasts),
        weight=row.weight,
    )


async def known_jobs(connection: AsyncConnection, batch_id: int) -> dict[str, KnownJob]:
    """Return every job of a batch by its key."""
    rows = await connection.execute(text("SELECT key, fingerprint, state FROM job WHERE batch_id = :batch"), {"batch": batch_id})
    return {row.key: KnownJob(fingerprint=row.fingerprint, state=State(row.state)) for row in rows}


async def overview(connection: AsyncConnection, batch: Batch) -> Overview:
    """Return the figures of one batch."""
    facts = {"batch": batch.id}
    states = (await connection.execute(_STATES, facts)).all()
    images = (await connection.execute(_IMAGES_SAVED, facts)).one()
    money = (await connection.execute(_MONEY, facts)).one()
    spending = (await of_batches(connection, [batch.id]))[0]
    jobs = (await connection.execute(_JOBS, facts)).one()
    return Overview(
        batch=batch,
        states={State(row.state): row.jobs for row in states},
        gone=jobs.gone,
        partial=jobs.partial,
        images_asked=jobs.asked or 0,
        images_saved=images.saved,
        degraded=images.degraded,
        estimated=None if jobs.unpriced else dollars(jobs.likely or 0),
        spent=spending.spent,
        reserved=spending.reserved,
        unknown_costs=money.unknown,
        at_stake=dollars(money.at_stake or 0),
        unpriced_at_stake=money.unpriced,
        earliest_deadline=jobs.deadline,
    )


async def list_jobs(connection: AsyncConnection, selection: Selection, limit: int) -> list[dict[str, Any]]:
    """Return jobs in file order as flat rows."""
    states = list(selection.states or State)
    found: list[dict[str, Any]] = []
    for key in selection.keys or (None,):
        facts = {"batch": selection.batch_id, "key": key, "states": states, "code": selection.code, "limit": limit}
        found += [plain(row) for row in (await connection.execute(_LIST, facts)).all()]
    return found[:limit]


_STATES = text("SELECT state, count(*) AS jobs FROM job WHERE batch_id = :batch AND NOT gone GROUP BY state")
_JOBS = text(
    """
    SELECT sum(n) FILTER (WHERE NOT gone) AS asked, count(*) FILTER (WHERE gone) AS gone,
        count(*) FILTER (WHERE partial) AS partial,
        sum(cost_likely) FILTER (WHERE NOT gone) AS likely, count(*) FILTER (WHERE cost_likely IS NULL AND NOT gone) AS unpriced,
        min(deadline) FILTER (WHERE state IN ('ready', 'downloading')) AS deadline
    FROM job WHERE batch_id = :batch
    """
)
_IMAGES_SAVED = text(
    "SELECT count(*) AS saved, count(image.degraded) AS degraded FROM image JOIN job ON job.id = image.job_id "
    "WHERE job.batch_id = :batch AND image.state = 'saved'"
)
_MONEY = text(
    """
    SELECT count(*) FILTER (WHERE charged = 'yes' AND cost_settled IS NULL) AS unknown,
        sum(cost_reserved) FILTER (WHERE charged = 'possible' AND attempt.state <> 'open') AS at_stake,
        count(*) FILTER (WHERE charged = 'possible' AND attempt.state <> 'open' AND cost_reserved IS NULL) AS unpriced
    FROM attempt JOIN job ON job.id = attempt.job_id WHERE job.batch_id = :batch
    """
)
_LIST = text(
    """
    SELECT job.id, batch.name AS batch, job.key, job.state, job.attempt_id, job.partial, job.account, job.provider, job.model,
        job.attempts,
        job.error_code, job.error_message, job.next_at, job.deadline, attempt.reason, attempt.remote_id, attempt.cost_reserved,
        attempt.number, attempt.phase, attempt.http_status, attempt.request_id, attempt.started_at, attempt.doubted_at,
        job.spec
    FROM job JOIN batch ON batch.id = job.batch_id LEFT JOIN attempt ON attempt.id = job.attempt_id
    WHERE job.state IN :states AND (:batch IS NULL OR job.batch_id = :batch)
    AND (:key IS NULL OR job.key = :key OR job.key GLOB :key)
    AND (:code IS NULL OR job.error_code = :code OR (job.state = 'uncertain' AND attempt.reason = :code))
    ORDER BY job.batch_id, job.position LIMIT :limit
    """
).bindparams(bindparam("states", expanding=True))

"""What an audit asks of the store: is the file itself sound, are rows gone, do the figures add up."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.lifecycle import State
from orchestrator.store import stories, work
from orchestrator.store.columns import NANO
from orchestrator.store.records import Job
from orchestrator.store.stories import Place, Story

T = TypeVar("T")

_COUNTED = {"batch": "id", "job": "id", "attempt": "rowid", "image": "id", "event": "id"}
"""Tables of which no row is ever deleted, and their numbers, which SQLite gives out from 1 without a hole."""
_MOST_NAMED = 5


class Read(Protocol):
    """How a question is put to the store."""

    def __call__(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> Awaitable[T]:
        """Return the answer of `question`, from one consistent view of the store."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Rows that are gone from a table."""

    table: str
    missing: int
    first: tuple[int, ...]
    """The numbers before the first few holes' ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """A row that names another one which is not there."""

    table: str
    row: int
    parent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The figures of a batch."""

    states: dict[State, int]
    loaded: int
    """Rows that the file had when it was last loaded."""
    holes: tuple[int, ...]
    """Positions in the file, from 0, of the first rows that have no job."""
    booked: Decimal
    """USD, as the books of the batch have it."""
    held: Decimal
    """USD that its attempts add up to: what they did cost, or may cost at worst."""

    @property
    def jobs(self) -> int:
        """Jobs that stand in the file."""
        return sum(self.states.values())


class Books:
    """The store's rows as an auditor looks at them; each answer is consistent in itself."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def faults(self) -> list[str]:
        """Return what SQLite finds wrong with its own file; this reads all of it."""
        return await self._read(_faults)

    async def orphans(self) -> list[Orphan]:
        """Return rows whose batch, job, attempt or account is gone."""
        return await self._read(_orphans)

    async def gaps(self) -> list[Gap]:
        """Return where rows were deleted, but for the last ones of a table."""
        return await self._read(_gaps)

    async def tally(self, batch_id: int) -> Tally:
        """Return the figures of a batch."""
        return await self._read(lambda connection: _tally(connection, batch_id))

    async def page(self, batch_id: int, after: Place) -> list[Story]:
        """Return the next jobs of a batch with all their rows; JSON that cannot be read comes as text."""
        return await self._read(lambda connection: stories.page(connection, batch_id, after, for_audit=True))

    async def recorded(self, files: Sequence[str]) -> set[str]:
        """Return those of the files (relative to the output folder) that some image has by now."""
        return await self._read(lambda connection: _strings(connection, _RECORDED, {"files": list(files)}))

    async def awaited(self, batch_id: int) -> list[tuple[str, int]]:
        """Return key and index of every image that is known and not yet saved: its file may be there already."""
        return await self._read(lambda connection: _awaited(connection, batch_id))

    async def job(self, job_id: int) -> Job:
        """Return one job, whatever its state."""
        return await self._read(lambda connection: work.one(connection, job_id))


async def _faults(connection: AsyncConnection) -> list[str]:
    lines = (await connection.execute(text("PRAGMA integrity_check(20)"))).scalars()
    return [str(line) for line in lines if line != "ok"]


async def _orphans(connection: AsyncConnection) -> list[Orphan]:
    rows = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
    return [Orphan(table=row[0], row=row[1], parent=row[2]) for row in rows]


async def _gaps(connection: AsyncConnection) -> list[Gap]:
    found = []
    for table, number in _COUNTED.items():
        rows = (await connection.execute(text(f"SELECT coalesce(max({number}), 0) - count(*) FROM {table}"))).scalar_one()  # noqa: S608
        if rows:
            found.append(Gap(table=table, missing=rows, first=await _holes(connection, table, number)))
    return found


async def _holes(connection: AsyncConnection, table: str, number: str) -> tuple[int, ...]:
    question = text(
        f"SELECT {number} - 1 AS hole FROM {table} AS here WHERE {number} > 1 "  # noqa: S608 - names of our own
        f"AND NOT EXISTS (SELECT 1 FROM {table} AS there WHERE there.{number} = here.{number} - 1) "
        f"ORDER BY {number} LIMIT {_MOST_NAMED}"
    )
    return tuple((await connection.execute(question)).scalars())


async def _tally(connection: AsyncConnection, batch_id: int) -> Tally:
    facts = {"batch": batch_id}
    states = (await connection.execute(_STATES, facts)).all()
    figures = (await connection.execute(_FIGURES, facts)).one()
    holes = (await connection.execute(_POSITIONS, {**facts, "loaded": figures.loaded, "most": _MOST_NAMED})).scalars()
    return Tally(
        states={State(row.state): row.jobs for row in states},
        loaded=figures.loaded,
        holes=tuple(holes),
        booked=Decimal(figures.booked) / NANO,
        held=Decimal(figures.held or 0) / NANO,
    )


async def _strings(connection: AsyncConnection, question: Any, facts: dict[str, Any]) -> set[str]:  # noqa: ANN401
    return set((await connection.execute(question, facts)).scalars())


async def _awaited(connection: AsyncConnection, batch_id: int) -> list[tuple[str, int]]:
    rows = (await connection.execute(_AWAITED, {"batch": batch_id})).all()
    return [(row[0], row[1]) for row in rows]


_STATES = text("SELECT state, count(*) AS jobs FROM job WHERE batch_id = :batch AND NOT gone GROUP BY state")
_FIGURES = text(
    """
    SELECT batch.jobs AS loaded, batch.booked AS booked, (
        SELECT sum(CASE attempt.charged WHEN 'no' THEN 0 ELSE coalesce(attempt.cost_settled, attempt.cost_reserved, 0) END)
        FROM attempt JOIN job ON job.id = attempt.job_id WHERE job.batch_id = batch.id
    ) AS held
    FROM batch WHERE id = :batch
    """
)
_POSITIONS = text(
    """
    WITH RECURSIVE place(position) AS (
        SELECT 0 WHERE :loaded > 0 UNION ALL SELECT position + 1 FROM place WHERE position + 1 < :loaded
    )
    SELECT position FROM place
    WHERE NOT EXISTS (SELECT 1 FROM job WHERE batch_id = :batch AND job.position = place.position AND NOT gone)
    ORDER BY position LIMIT :most
    """
)
_RECORDED = text("SELECT file FROM image WHERE file IN :files").bindparams(bindparam("files", expanding=True))
_AWAITED = text(
    """
    SELECT job.key, image."index" FROM image JOIN job ON job.id = image.job_id
    WHERE job.batch_id = :batch AND (image.state = 'wanted' OR image.state = 'extra' AND image.file IS NULL)
    """
)

"""What is asked about attempts in doubt, and about those that were left behind and may still bring a result."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.attempts import AttemptState
from orchestrator.store.records import Job
from orchestrator.store.work import COLUMNS, job_of

Read = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]

_LATEST = 500
"""Attempts of an account whose durations are looked at."""
_SLOW = 0.99


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """What is known of an attempt beyond its job."""

    number: int
    started_at: float
    """Unix seconds at which it was written down."""
    http_status: int | None
    idempotency_key: str | None
    request_sha256: str | None
    resends: int
    """Times its request was sent again under the same key."""
    is_settled: bool
    """Whether it is known what it cost."""
    token_hash: str | None
    """What is kept of the token of its own path; None when nobody was told to call there."""


class Doubts:
    """The questions; `read` runs one on a reading connection."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def of(self, job: Job) -> Doubt:
        """Return what is known of a job's attempt."""
        row = (await self._rows(_DOUBT, attempt=job.attempt_id))[0]
        return Doubt(
            number=row.number,
            started_at=row.started_at,
            http_status=row.http_status,
            idempotency_key=row.idempotency_key,
            request_sha256=row.request_sha256,
            resends=row.resends,
            is_settled=row.cost_settled is not None,
            token_hash=row.token_hash,
        )

    async def attempt(self, attempt_id: str) -> tuple[Job, AttemptState] | None:
        """Return the job of an attempt, with the facts of that attempt, and how the attempt stands; None if there is none."""
        rows = await self._rows(_BY_ATTEMPT, attempt=attempt_id)
        return (job_of(rows[0]), AttemptState(rows[0].standing)) if rows else None

    async def left_behind(self, batches: Sequence[int], *, since: float) -> list[Job]:
        """Return jobs with an attempt each that was left behind after `since` (Unix seconds) and brought no image so far."""
        return [job_of(row) for row in await self._rows(_LEFT_BEHIND, batches=list(batches), since=since)]

    async def no_longer(self, attempts: Iterable[str | None]) -> set[str]:
        """Return those of the attempts that are not in doubt any more."""
        return {row.id for row in await self._rows(_NO_LONGER, attempts=[attempt for attempt in attempts if attempt])}

    async def last_event(self) -> int:
        """Return the number of the newest event."""
        return int((await self._rows(_LAST_EVENT))[0].id or 0)

    async def brought_in(self, batches: Sequence[int], *, after: int) -> list[Job]:
        """Return the jobs that the user's word has given a task or a result, by events after the given one."""
        return [job_of(row) for row in await self._rows(_BROUGHT_IN, batches=list(batches), after=after)]

    async def slowest(self, account: str) -> float | None:
        """Return the seconds within which 99 of 100 latest attempts of an account were delivered; None without any."""
        found = sorted(row.took for row in await self._rows(_DURATIONS, account=account, limit=_LATEST))
        return float(found[int((len(found) - 1) * _SLOW)]) if found else None

    async def _rows(self, statement: Any, **facts: object) -> Sequence[Any]:  # noqa: ANN401
        async def ask(connection: AsyncConnection) -> Sequence[Any]:
            return (await connection.execute(statement, facts)).all()

        return await self._read(ask)  # type: ignore[no-any-return]


_OF_ATTEMPT = COLUMNS.replace("job.attempt_id", "attempt.id AS attempt_id")
"""The job as it is, with an attempt that need not be its latest."""
_FROM_ATTEMPT = "FROM attempt JOIN job ON job.id = attempt.job_id JOIN batch ON batch.id = job.batch_id"
_BATCHES: BindParameter[Any] = bindparam("batches", expanding=True)

_DOUBT = text(
    "SELECT number, started_at, http_status, idempotency_key, request_sha256, resends, token_hash, cost_settled "
    "FROM attempt WHERE id = :attempt"
)
_BY_ATTEMPT = text(f"SELECT {_OF_ATTEMPT}, attempt.state AS standing {_FROM_ATTEMPT} WHERE attempt.id = :attempt")
_LEFT_BEHIND = text(
    f"SELECT {_OF_ATTEMPT} {_FROM_ATTEMPT} WHERE job.batch_id IN :batches AND attempt.state = 'abandoned' "  # noqa: S608
    "AND attempt.charged <> 'no' AND attempt.ended_at >= :since AND NOT EXISTS "
    "(SELECT 1 FROM image WHERE image.attempt_id = attempt.id AND (image.file IS NOT NULL OR image.state = 'lost')) "
    "ORDER BY attempt.ended_at"
).bindparams(_BATCHES)
_NO_LONGER = text("SELECT id FROM attempt WHERE id IN :attempts AND state <> 'uncertain'").bindparams(
    bindparam("attempts", expanding=True)
)
_LAST_EVENT = text("SELECT max(id) AS id FROM event")
_BROUGHT_IN = text(
    f"SELECT {COLUMNS} FROM job JOIN batch ON batch.id = job.batch_id JOIN attempt ON attempt.id = job.attempt_id "  # noqa: S608
    "WHERE job.batch_id IN :batches AND job.state IN ('running', 'ready') AND job.id IN "
    "(SELECT job_id FROM event WHERE event.id > :after AND actor = 'user' AND event IN ('adopted', 'delivered'))"
).bindparams(_BATCHES)
_DURATIONS = text(
    "SELECT ended_at - started_at AS took FROM attempt WHERE account = :account AND state = 'delivered' "
    "ORDER BY rowid DESC LIMIT :limit"
)

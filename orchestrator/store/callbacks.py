"""Calls from providers: whom they are for, which were heard before, and which nobody has looked into yet."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.clock import Clock
from orchestrator.jobs.tokens import LIFETIME
from orchestrator.store.door import Door, Stale, Step, Write

Read = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]

MOST_PER_ATTEMPT = 32
"""Calls about one attempt that are kept: who has its token and keeps inventing new ones fills no disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addressee:
    """The attempt that a call is for."""

    attempt_id: str
    job_id: int
    account: str
    provider: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call that was taken: a hint that a task has ended, and nothing more."""

    digest: str
    job_id: int
    attempt_id: str
    remote_id: str


class Callbacks:
    """What is asked and written about calls; `read` runs a question on a reading connection."""

    def __init__(self, door: Door, read: Read, clock: Clock) -> None:
        self._door, self._read, self._clock = door, read, clock

    async def by_token(self, token_hash: str) -> Addressee | None:
        """Return the attempt that is called under a token, for seven days whatever became of it."""
        return await self._addressee(_BY_TOKEN, token_hash=token_hash, since=self._clock.now() - LIFETIME)

    async def by_task(self, provider: str, remote_id: str) -> Addressee | None:
        """Return the attempt that has a task."""
        return await self._addressee(_BY_TASK, provider=provider, remote_id=remote_id)

    async def by_attempt(self, provider: str, attempt_id: str) -> Addressee | None:
        """Return the attempt of that id, if it went to this provider; one old enough to be over is none."""
        since = self._clock.now() - LIFETIME
        return await self._addressee(_BY_ATTEMPT, provider=provider, attempt_id=attempt_id, since=since)

    async def holder(self, provider: str, remote_id: str, *, but: str) -> str | None:
        """Return another attempt that has this task already."""
        rows = await self._rows(_HOLDER, provider=provider, remote_id=remote_id, attempt_id=but)
        return rows[0].id if rows else None

    async def note(self, digest: str, addressee: Addressee, remote_id: str) -> bool:
        """Keep a call until it is looked into; say whether it is a new one. It is durable when this returns."""
        if (await self._rows(_KNOWN, digest=digest, attempt_id=addressee.attempt_id, most=MOST_PER_ATTEMPT))[0].known:
            return False
        now = self._clock.now()
        facts = {"digest": digest, "attempt_id": addressee.attempt_id, "remote_id": remote_id, "now": now}
        try:
            await self._door.write(Write(addressee.job_id, Step(_NOTE, facts)))
        except Stale:  # it came twice at the same moment
            return False
        return True

    async def waiting(self, batches: Sequence[int], *, limit: int) -> list[Call]:
        """Return the calls about jobs of these batches that nobody has looked into, the oldest first."""
        rows = await self._rows(_WAITING, batches=list(batches), limit=limit)
        return [Call(digest=row.digest, job_id=row.job_id, attempt_id=row.attempt_id, remote_id=row.remote_id) for row in rows]

    async def handled(self, call: Call) -> None:
        """Note that a call was looked into."""
        facts = {"digest": call.digest, "now": self._clock.now()}
        with suppress(Stale):  # by another engine, at the same moment
            await self._door.write(Write(call.job_id, Step(_HANDLED, facts)))

    async def forget(self) -> None:
        """Let go of calls that are too old to be repeated."""
        facts = {"since": self._clock.now() - LIFETIME}
        await self._door.transact(lambda connection: connection.execute(_FORGET, facts))

    async def _addressee(self, statement: Any, **facts: object) -> Addressee | None:  # noqa: ANN401
        rows = await self._rows(statement, **facts)
        if not rows:
            return None
        row = rows[0]
        return Addressee(attempt_id=row.id, job_id=row.job_id, account=row.account, provider=row.provider)

    async def _rows(self, statement: Any, **facts: object) -> Sequence[Any]:  # noqa: ANN401
        async def ask(connection: AsyncConnection) -> Sequence[Any]:
            return (await connection.execute(statement, facts)).all()

        return await self._read(ask)  # type: ignore[no-any-return]


_ADDRESSEE = "SELECT id, job_id, account, provider FROM attempt"

_BY_TOKEN = text(f"{_ADDRESSEE} WHERE token_hash = :token_hash AND started_at >= :since")
_OF_TASK = "account IN (SELECT name FROM account) AND remote_id = :remote_id AND provider = :provider"
"""Served by the index on account and task."""
_BY_TASK = text(f"{_ADDRESSEE} WHERE {_OF_TASK} LIMIT 1")
_BY_ATTEMPT = text(f"{_ADDRESSEE} WHERE id = :attempt_id AND provider = :provider AND started_at >= :since")
_HOLDER = text(f"SELECT id FROM attempt WHERE {_OF_TASK} AND id <> :attempt_id LIMIT 1")  # noqa: S608 - our own text
_KNOWN = text(
    "SELECT EXISTS (SELECT 1 FROM callback WHERE digest = :digest) "
    "OR (SELECT count(*) FROM callback WHERE attempt_id = :attempt_id) >= :most AS known"
)
_NOTE = text(
    "INSERT INTO callback (digest, attempt_id, remote_id, received_at) VALUES (:digest, :attempt_id, :remote_id, :now) "
    "ON CONFLICT (digest) DO NOTHING"
)
_WAITING = text(
    "SELECT callback.digest, attempt.job_id, callback.attempt_id, callback.remote_id FROM callback "
    "JOIN attempt ON attempt.id = callback.attempt_id JOIN job ON job.id = attempt.job_id "
    "WHERE callback.handled_at IS NULL AND job.batch_id IN :batches ORDER BY callback.received_at LIMIT :limit"
).bindparams(bindparam("batches", expanding=True))
_HANDLED = text("UPDATE callback SET handled_at = :now WHERE digest = :digest AND handled_at IS NULL")
_FORGET = text("DELETE FROM callback WHERE received_at < :since")

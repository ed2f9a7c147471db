"""Batches that another process asks the engine at work to take in, and what the engine says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.clock import Clock
from orchestrator.store.door import Door

Read = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How it stands with one batch."""

    asked: bool
    taken: bool
    declined: str | None
    """Why the engine does not take it."""


class Invitations:
    """What is asked and answered; `read` runs a question on a reading connection."""

    def __init__(self, door: Door, read: Read, clock: Clock) -> None:
        self._door, self._read, self._clock = door, read, clock

    async def ask(self, batch: int) -> None:
        """Ask the engine at work to take a batch."""
        await self._write(_ASK, batch=batch, now=self._clock.now())

    async def waiting(self) -> list[int]:
        """Return the batches that wait for an answer, oldest first."""
        return [row.batch_id for row in await self._read(lambda connection: connection.execute(_WAITING))]

    async def take(self, batch: int) -> None:
        """Say that a batch is worked on from now on."""
        await self._write(_TAKE, batch=batch, now=self._clock.now())

    async def decline(self, batch: int, why: str) -> None:
        """Say why a batch is not."""
        await self._write(_DECLINE, batch=batch, why=why)

    async def forget(self) -> None:
        """Begin anew: what an earlier engine was asked and said no longer counts."""
        await self._write(_FORGET)

    async def reply(self, batch: int) -> Reply:
        """Return what the engine said of a batch."""
        row = (await self._read(lambda connection: connection.execute(_REPLY, {"batch": batch}))).one_or_none()
        if row is None:
            return Reply(asked=False, taken=False, declined=None)
        return Reply(asked=True, taken=row.taken_at is not None, declined=row.declined)

    async def is_over(self, batch: int) -> bool:
        """Say whether no job of a batch can move without the user."""
        return (await self._read(lambda connection: connection.execute(_MOVING, {"batch": batch}))).first() is None

    async def _write(self, statement: Any, **facts: Any) -> None:  # noqa: ANN401
        await self._door.transact(lambda connection: connection.execute(statement, facts))


_ASK = text(
    """
    INSERT INTO invitation (batch_id, asked_at) VALUES (:batch, :now)
    ON CONFLICT (batch_id) DO UPDATE SET asked_at = excluded.asked_at, taken_at = NULL, declined = NULL
    """
)
_WAITING = text("SELECT batch_id FROM invitation WHERE taken_at IS NULL AND declined IS NULL ORDER BY asked_at")
_TAKE = text("UPDATE invitation SET taken_at = :now WHERE batch_id = :batch")
_DECLINE = text("UPDATE invitation SET declined = :why WHERE batch_id = :batch")
_FORGET = text("DELETE FROM invitation")
_REPLY = text("SELECT taken_at, declined FROM invitation WHERE batch_id = :batch")
_MOVING = text(
    """
    SELECT 1 FROM job WHERE batch_id = :batch AND NOT gone AND (
        state IN ('pending', 'submitting', 'running', 'ready', 'downloading') OR (state = 'uncertain' AND next_at IS NOT NULL)
        OR (state = 'blocked' AND NOT EXISTS (
            SELECT 1 FROM job AS held WHERE held.batch_id = :batch AND held.state = 'uncertain' AND held.next_at IS NULL
        ))
    ) LIMIT 1
    """
)

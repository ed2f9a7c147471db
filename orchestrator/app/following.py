"""What `run FILE` does where an engine is at work on the store: it asks it to take the batch, and follows it to the end."""

import asyncio
from enum import StrEnum
from pathlib import Path

from orchestrator.app.setup import CannotStart
from orchestrator.engine.board import Board
from orchestrator.jobs.clock import Clock
from orchestrator.store.lock import in_use
from orchestrator.store.reading import Batch
from orchestrator.store.store import Store

EVERY = 0.5
"""Seconds between looks."""
PATIENCE = 30.0
"""Seconds in which an engine answers that can take batches in; it looks once a second."""


class End(StrEnum):
    """Why nothing is followed any more."""

    OVER = "over"
    ALONE = "alone"
    """The engine has ended, and somebody has to go on."""
    LEFT = "left"
    """The user does not want to wait; the engine goes on."""


class Follower:
    """Watches one batch. A signal only ends the watching: nothing of what it follows is its own."""

    waiting_for = 0
    """Paid requests of its own in flight."""
    longest_wait = 0.0

    def __init__(self, store: Store, clock: Clock, batch: Batch, board: Board, database: Path, engine: str) -> None:
        """`engine` says who holds the store `database`."""
        self._store, self._clock, self._batch, self._board = store, clock, batch, board
        self._database, self._engine = database, engine
        self._leaving = asyncio.Event()

    def drain(self) -> None:
        """Stop watching."""
        self._leaving.set()

    abort = drain

    async def follow(self) -> End:
        """Return at the end of the batch, of its engine or of the watching; raise `CannotStart` when the batch is declined."""
        invitations, began = self._store.invitations, self._clock.monotonic()
        while not self._leaving.is_set():
            reply = await invitations.reply(self._batch.id)
            if reply.declined is not None:
                why = f"{reply.declined}; wait for it to end, or stop it first"
                raise CannotStart(f"the engine at work on {self._database} cannot take the batch in: {why}")
            if not in_use(self._database):
                return End.ALONE
            if not reply.asked:
                await invitations.ask(self._batch.id)
            elif reply.taken and await invitations.is_over(self._batch.id):
                return End.OVER
            elif not reply.taken and self._clock.monotonic() - began > PATIENCE:
                raise CannotStart(f"{self._engine}: it was asked to take the batch in, and does not answer")
            self._board.begin(await self._store.counts([self._batch.id]))
            await self._clock.sleep(EVERY)
        return End.LEFT

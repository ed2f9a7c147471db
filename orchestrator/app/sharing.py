"""`run FILE`, also where an engine is at work on the store already: then that one is asked to do the work, and followed."""

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.app.batches import Listeners
from orchestrator.app.budgets import check_prices
from orchestrator.app.following import End, Follower
from orchestrator.app.running import Begun, Finished, Running, exit_code
from orchestrator.app.setup import EngineAtWork
from orchestrator.engine.board import Board
from orchestrator.engine.ending import Ending, Outcome
from orchestrator.engine.queue import Scope
from orchestrator.jobs.lifecycle import State
from orchestrator.results import DecodePool
from orchestrator.store.reading import Batch
from orchestrator.store.store import Store

Followed = Callable[[Follower, Board], None]
"""Called when another engine is followed: who follows it, to be ended by a signal, and the figures to show."""
_ENDS = (State.FAILED, State.EXPIRED, State.CANCELLED)


class Sharing(Running):
    """Runs a batch, wherever an engine is at work."""

    async def run(self, file: Path, listeners: Listeners, begun: Begun, followed: Followed | None = None) -> Finished:
        """Check, store and work until the batch is over; raise `BadInput` or `CannotStart`.

        `begun` hears when work begins, `followed` when another engine does it.
        """
        while True:
            try:
                return await super().run(file, listeners, begun)
            except EngineAtWork as engine:
                finished = await self._run_beside(file, listeners, followed, str(engine))
            if finished is not None:
                return finished

    async def _run_beside(self, file: Path, listeners: Listeners, followed: Followed | None, engine: str) -> Finished | None:
        """Store the batch, and follow the engine that works on it; None when that has ended before the batch was over.

        `engine` says who holds the store.
        """
        batch, accounts = self._read(file)
        async with Store.open(self.database, self.clock) as store, DecodePool() as pool:
            loaded = await self._load(store, pool, batch, accounts, file)
            self._report(loaded, listeners)
            (stored,) = [each for each in await store.batches() if each.id == loaded.batch_id]
            return await self._followed(store, stored, followed, engine)

    async def _followed(self, store: Store, batch: Batch, followed: Followed | None, engine: str) -> Finished | None:
        """Follow the engine through a batch; its accounts may go on if they are paused, since the user begins a run of theirs."""
        await check_prices(store, Scope(batches=[batch.id]))
        for account in await store.accounts_of([batch.id]):
            await store.lift_pause(account)
        before, board = await store.counts([batch.id]), Board(self.clock)
        board.begin(before)
        follower = Follower(store, self.clock, batch, board, self.database, engine)
        if followed is not None:
            followed(follower, board)
        end = await follower.follow()
        return None if end is End.ALONE else await self._told_of(store, batch, before, end)

    async def _told_of(self, store: Store, batch: Batch, before: Mapping[State, int], end: End) -> Finished:
        """Return how it stands with a batch that another engine works on."""
        ending = Ending.OVER if end is End.OVER else Ending.DRAINED
        outcome, overview = Outcome(ending=ending, paused={}), await store.overview(batch)
        manifest = await self._manifest(store, batch, outcome)
        troubled = any(overview.states.get(state, 0) > before.get(state, 0) for state in _ENDS) or bool(overview.partial)
        return Finished(
            outcome=outcome,
            overviews=(overview,),
            manifests=(manifest,) if manifest is not None else (),
            exit_code=exit_code(outcome, (overview,), troubled=troubled),
            followed=True,
        )

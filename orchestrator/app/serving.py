"""Serving until told to stop: calls are received and figures shown all the time, and what there is to do is done beside it."""

import asyncio
from contextlib import AsyncExitStack

from orchestrator.app.assembly import Pauses
from orchestrator.app.batches import Listeners
from orchestrator.app.reception import Reception
from orchestrator.app.running import Running
from orchestrator.app.setup import CannotStart, make_private_folder
from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.results import DecodePool
from orchestrator.store.opening import CannotOpen
from orchestrator.store.store import Store

_LOOK = 1.0
"""Seconds between looks at what other processes did."""


class Serving(Running):
    """Serves, with the engine or without."""

    _stopping: asyncio.Event | None = None
    _at_work: Runtime | None = None

    async def serve(self, listeners: Listeners, *, work: bool) -> None:
        """Serve until `stop`; raise `BadInput` or `CannotStart`."""
        self._stopping = asyncio.Event()
        self.reception = Reception(self, self.outside, listeners)
        self.problems.raise_if_any()
        async with AsyncExitStack() as stack:
            if not work:
                await self.reception.open(stack, await self._beside(stack))
                await self._stopping.wait()
                return
            store, pool = await stack.enter_async_context(self._engine())
            await self._refresh_accounts(store)
            await self.reception.open(stack, store)
            await self._rounds(store, pool, self.reception, self._stopping, listeners)

    def stop(self) -> None:
        """Finish what is paid for and end; said a second time, end at once."""
        if self._stopping is None:
            return
        if self._at_work is not None:
            (self._at_work.abort if self._stopping.is_set() else self._at_work.drain)()
        self._stopping.set()

    async def _beside(self, stack: AsyncExitStack) -> Store:
        """Open the store beside an engine that may be at work; make it if there is none yet."""
        try:
            make_private_folder(self.database.absolute().parent)
            return await stack.enter_async_context(Store.open(self.database, self.clock))
        except CannotOpen as error:
            raise CannotStart(str(error)) from error

    async def _rounds(
        self, store: Store, pool: DecodePool, reception: Reception, stopping: asyncio.Event, listeners: Listeners
    ) -> None:
        """Work whenever something has changed: a call came, or another process wrote to the store."""
        pauses = Pauses.LIFTED  # whoever begins to serve says so; later rounds begin by themselves
        while not stopping.is_set():
            version = await store.version_of_others()
            reception.called.clear()
            if batches := await self._unfinished(store):
                await self._work(store, pool, batches, listeners, self._begin, pauses)
                self._at_work, pauses = None, Pauses.KEPT
            while not stopping.is_set() and not reception.called.is_set() and version == await store.version_of_others():
                await self.clock.sleep(_LOOK)

    def _begin(self, runtime: Runtime, _board: Board) -> None:
        self._at_work = runtime
        if self._stopping is not None and self._stopping.is_set():
            runtime.drain()

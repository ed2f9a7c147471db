"""What sends: a batch file, or what is in the store, worked to its end."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.app.assembly import Pauses, assemble
from orchestrator.app.batches import Batches, Listeners
from orchestrator.app.budgets import Reached, check_prices, left_before, reached
from orchestrator.app.setup import CannotStart, EngineAtWork, NotFound, make_private_folder
from orchestrator.config import Accounts, Overrides
from orchestrator.engine.board import Board
from orchestrator.engine.ending import Ending, Outcome
from orchestrator.engine.outlook import Outlook
from orchestrator.engine.queue import Scope
from orchestrator.engine.receipts import receipts
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import SIMULATOR
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.places import BadInput
from orchestrator.manifest import check_place, write_manifest
from orchestrator.results import DecodePool, ForeignFolder, safe_name
from orchestrator.store.door import Damaged, Unavailable
from orchestrator.store.lock import AlreadyRunning, EngineLock
from orchestrator.store.opening import CannotOpen, damage
from orchestrator.store.reading import Batch, Overview
from orchestrator.store.store import Store

MANIFEST = "manifest.jsonl"

_GARBAGE = (10_000, 20, 20)
"""How seldom a run looks for garbage: the interpreter's own 700 cost a twelfth of its time, and next to nothing is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """How a run ended."""

    outcome: Outcome
    overviews: tuple[Overview, ...]
    manifests: tuple[Path, ...]
    exit_code: int
    reached: tuple[Reached, ...] = ()
    """Budgets that ended it."""
    followed: bool = False
    """Whether another engine did the work."""


Begun = Callable[[Runtime, Board], None]
"""Called when a run is about to begin work: the runtime, to be drained by a signal, and the figures to show."""


class Running(Batches):
    """Runs and resumes."""

    async def run(self, file: Path, listeners: Listeners, begun: Begun) -> Finished:
        """Check, store and work until the batch is over; raise `BadInput`, `CannotStart` or `EngineAtWork`."""
        batch, accounts = self._read(file)
        is_new = not self.database.exists()
        try:
            async with self._engine() as (store, pool):
                loaded = await self._load(store, pool, batch, accounts, file)
                is_new = False
                self._report(loaded, listeners)
                chosen = [stored for stored in await store.batches() if stored.id == loaded.batch_id]
                return await self._work(store, pool, chosen, listeners, begun)
        except BadInput:
            if is_new:
                self._leave_no_store()
            raise

    async def resume(self, name: str | None, listeners: Listeners, begun: Begun) -> Finished:
        """Go on with what is in the store; raise `NotFound`, `BadInput` or `CannotStart`."""
        _ = self.outside, self.courier
        self.problems.raise_if_any()
        async with self._engine(must_exist=True) as (store, pool):
            chosen = await self.named(store, name) if name else await self._unfinished(store)
            await self._refresh_accounts(store)
            await self._replace_budget(store, chosen)
            return await self._work(store, pool, chosen, listeners, begun)

    def _leave_no_store(self) -> None:
        """Take away the empty store that was made for a file that was no good."""
        for ending in ("", "-wal", "-shm", ".lock"):
            self.database.with_name(self.database.name + ending).unlink(missing_ok=True)

    async def _replace_budget(self, store: Store, batches: Sequence[Batch]) -> None:
        if self.options.budget is None:
            return
        if len(batches) != 1:
            raise NotFound(f"--budget is for one batch: say which, `resume BATCH`; {len(batches)} are unfinished")
        await store.set_budget(batches[0].id, self.options.budget)

    async def _refresh_accounts(self, store: Store) -> None:
        overrides = Overrides(concurrency=self.options.concurrency)
        builder = Accounts(self.registry, self.settings, overrides, self.problems)
        rows = await store.accounts()
        await store.put_accounts([builder.again(row.settings) for row in rows.values()])
        self.problems.raise_if_any()

    @asynccontextmanager
    async def _engine(self, *, must_exist: bool = False, takes_batches: bool = True) -> AsyncIterator[tuple[Store, DecodePool]]:
        async with AsyncExitStack() as stack:
            try:
                if must_exist:
                    self.must_exist()
                make_private_folder(self.database.absolute().parent)
                self.warn_if_open()
                lock = stack.enter_context(EngineLock(self.database, takes_batches=takes_batches))
                store = await stack.enter_async_context(Store.open(self.database, self.clock))
                if not lock.found_as_left:
                    await store.check()
            except AlreadyRunning as error:
                raise (EngineAtWork if error.takes_batches else CannotStart)(str(error)) from error
            except CannotOpen as error:
                raise CannotStart(str(error)) from error
            except OSError as error:
                raise CannotStart(f"the store {self.database} cannot be used: {_named(error)}") from error
            pool = await stack.enter_async_context(DecodePool())
            try:
                yield store, pool
            except Damaged as error:
                raise CannotStart(damage(self.database, str(error))) from error
            except Unavailable as error:
                raise CannotStart(f"the store {self.database} cannot be written: {error}") from error

    async def _work(
        self,
        store: Store,
        pool: DecodePool,
        batches: Sequence[Batch],
        listeners: Listeners,
        begun: Begun,
        pauses: Pauses = Pauses.LIFTED,
    ) -> Finished:
        weights = {batch.id: batch.weight for batch in batches}
        scope = Scope(batches=list(weights), weights=weights, only=self.options.only, limit=self.options.limit)
        board = Board(self.clock)
        board.begin(await store.counts(scope.batches))
        cancelled = board.states[State.CANCELLED]
        await check_prices(store, scope)
        async with AsyncExitStack() as stack:
            used = await store.accounts_of(scope.batches)
            paths = self.outside.paths([row.settings for name, row in (await store.accounts()).items() if name in used])
            reception = self.receiving(listeners)
            ears = self.ears(stack, listeners, reception)
            tools = await assemble(self, stack, store, pool, scope, board, ears, pauses=pauses, callback_paths=paths)
            self._claim_folders(tools, batches)
            await self._announce(tools, scope)
            runtime = Runtime(tools, scope)
            await self.receive(stack, store, runtime, reception)
            stack.enter_context(_seldom_garbage())
            board.expect(await store.left(scope.batches), Outlook(tools.desks.values(), self.clock))
            begun(runtime, board)
            outcome = await runtime.run()
        if outcome.ending is Ending.ABORTED:
            return Finished(outcome=outcome, overviews=(), manifests=(), exit_code=130)
        if outcome.damaged:
            raise CannotStart(damage(self.database, str(outcome.halted)))
        manifests = tuple([path for batch in batches if (path := await self._manifest(store, batch, outcome))])
        overviews = tuple([await store.overview(batch) for batch in batches])
        await self._write_for_guests(store, scope, batches, outcome)
        stopped = sum(o.states.get(State.CANCELLED, 0) for o in overviews) > cancelled
        troubled = stopped or any(board.troubled[batch.name] for batch in batches)
        code = exit_code(outcome, overviews, troubled=troubled)
        ended_by = await reached(store, scope, outcome.shortages)
        await self.notify(outcome, overviews, listeners)
        return Finished(outcome=outcome, overviews=overviews, manifests=manifests, exit_code=code, reached=ended_by)

    async def _write_for_guests(self, store: Store, scope: Scope, batches: Sequence[Batch], outcome: Outcome) -> None:
        """Write the manifests of batches that were taken in: whoever asked for them may have gone."""
        own = {batch.id for batch in batches}
        for batch in await store.batches() if len(scope.batches) > len(own) else ():
            if batch.id in scope.batches and batch.id not in own:
                await self._manifest(store, batch, outcome)

    def _claim_folders(self, tools: Tools, batches: Sequence[Batch]) -> None:
        try:
            for batch in batches:
                folder = tools.results.folder(batch.name)
                folder.claim(tools.store.id, now=self.clock.now())
                folder.remove_stale()
                check_place(folder.path / MANIFEST)
        except ForeignFolder as error:
            raise CannotStart(str(error)) from error
        except OSError as error:
            raise CannotStart(f"the output folder {self.out} cannot be used: {_named(error)}") from error

    async def _announce(self, tools: Tools, scope: Scope) -> None:
        """Say what may be paid before the first paid request."""
        figures = await tools.store.to_send(scope.batches, scope.only, scope.limit)
        tools.news.tell(
            "run_started",
            jobs=figures.jobs,
            images=figures.images,
            likely=figures.likely,
            worst=figures.worst,
            unpriced=figures.unpriced,
            simulated=await self._is_rehearsal(tools.store, scope),
            **await left_before(tools.store, scope),
        )

    async def _is_rehearsal(self, store: Store, scope: Scope) -> bool:
        """Say whether nothing of this run goes to a real provider."""
        rows, used = await store.accounts(), await store.accounts_of(scope.batches)
        return all(rows[name].settings.base_url == SIMULATOR for name in used)

    async def _unfinished(self, store: Store) -> list[Batch]:
        return [batch for batch in await store.batches() if await store.is_unfinished(batch.id)]

    async def _manifest(self, store: Store, batch: Batch, outcome: Outcome) -> Path | None:
        """Write a batch's manifest; None where the disk that ended the run does not take that either."""
        target = self.out / safe_name(batch.name) / MANIFEST
        try:
            await write_manifest(receipts(store.stories(batch.id)), target)
        except OSError:
            if outcome.halted is None:
                raise
            return None
        return target


@contextmanager
def _seldom_garbage() -> Iterator[None]:
    """Look for garbage less often within the block."""
    before = gc.get_threshold()
    gc.set_threshold(*_GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def exit_code(outcome: Outcome, overviews: Sequence[Overview], *, troubled: bool) -> int:
    """Return the exit code of design.md section 7: the first that applies."""
    if outcome.ending is Ending.DRAINED:
        return 75
    if outcome.ending is Ending.PAUSED:
        return 4
    if any(overview.states.get(State.UNCERTAIN) for overview in overviews):
        return 5
    return 1 if troubled else 0


def _named(error: OSError) -> str:
    """Return what the system says of a file, with its name where it names one."""
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror or str(error)

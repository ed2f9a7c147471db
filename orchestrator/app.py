"""The one place where real things are built and joined. The command line calls it, and it knows nothing of the command line."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.batchfile import BatchFile, Problems, open_batch
from orchestrator.config import Accounts, FileSettings, Overrides, keys_of, read_settings
from orchestrator.engine.board import Board
from orchestrator.engine.desk import Desk, desk_of
from orchestrator.engine.intake import Intake, Surroundings, Totals
from orchestrator.engine.news import Listener, News
from orchestrator.engine.pictures import Pictures
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.queue import Scope
from orchestrator.engine.receipts import receipt, receipts
from orchestrator.engine.runtime import Ending, Outcome, Runtime
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.clock import Clock, SystemClock
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.places import BadInput, Problem
from orchestrator.jobs.secrets import Secret
from orchestrator.manifest import Form, export
from orchestrator.manifest.shape import json_of
from orchestrator.providers.registry import Registry
from orchestrator.results import DecodePool, ForeignFolder, Results, Spool, inspect, safe_name
from orchestrator.simulator import Simulator, SimulatorOptions, serve
from orchestrator.store.accounts import AccountInUse, AccountRow
from orchestrator.store.loading import Changed, Loaded
from orchestrator.store.lock import AlreadyRunning, EngineLock
from orchestrator.store.opening import CannotOpen
from orchestrator.store.operators import Chosen, Selection
from orchestrator.store.reading import Batch, Overview, Story
from orchestrator.store.store import Store
from orchestrator.transport.client import Transport
from orchestrator.transport.files import Files
from orchestrator.transport.messages import Answer, Unreadable

DEFAULT_DATABASE = "orchestrator.db"
DEFAULT_OUT = "results"


class CannotStart(Exception):
    """The store or the output folder cannot be used (exit code 3)."""


class NotFound(Exception):
    """A batch or job that the user named is not in the store (exit code 2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says; None where it says nothing."""

    db: str | None = None
    out: str | None = None
    config: Path | None = None
    account: str | None = None
    model: str | None = None
    concurrency: int | None = None
    encoding: str | None = None
    limit: int | None = None
    only: str | None = None
    simulate: bool = False
    trust_accounts: bool = False
    changed: Changed = Changed.ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """How a run ended."""

    outcome: Outcome
    overviews: tuple[Overview, ...]
    manifests: tuple[Path, ...]
    exit_code: int


Listeners = Sequence[Listener]
Begun = Callable[[Runtime, Board], None]
"""Called when a run is about to begin work: the runtime, to be drained by a signal, and the figures to show."""


class App:
    """One use of the program."""

    def __init__(self, options: Options, clock: Clock | None = None, random: Random | None = None) -> None:
        self.options = options
        self.clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 - jitter, no secrets
        self._problems = Problems()
        self._settings: FileSettings = read_settings(options.config, self._problems)
        self._registry = Registry(today=self._today)

    @property
    def warnings(self) -> list[Problem]:
        """What the user should know, though it stops nothing."""
        return self._problems.list

    @property
    def database(self) -> Path:
        """The store's file; a rehearsal has one of its own, so that nobody takes it for the real thing."""
        named = self.options.db or os.environ.get("ORCHESTRATOR_DB") or self._settings.db or DEFAULT_DATABASE
        path = Path(named)
        return path.with_name(f"{path.stem}.simulated.db") if self.options.simulate else path

    @property
    def out(self) -> Path:
        """The output folder."""
        path = Path(self.options.out or self._settings.out or DEFAULT_OUT)
        return path.with_name(f"{path.name}-simulated") if self.options.simulate else path

    # --- what sends ---------------------------------------------------------------------------------------------------------

    async def validate(self, file: Path) -> Totals:
        """Check a batch file and send nothing; raise `BadInput`."""
        batch, accounts = self._read(file)
        async with DecodePool() as pool:
            return await self._intake(batch, accounts, pool).check()

    async def run(self, file: Path, listeners: Listeners, begun: Begun) -> Finished:
        """Check, store and work until the batch is over; raise `BadInput` or `CannotStart`."""
        batch, accounts = self._read(file)
        async with self._engine() as (store, pool):
            loaded = await self._load(store, pool, batch, accounts, file)
            self._report(loaded, listeners)
            chosen = [stored for stored in await store.batches() if stored.id == loaded.batch_id]
            return await self._work(store, pool, chosen, listeners, begun)

    async def resume(self, name: str | None, listeners: Listeners, begun: Begun) -> Finished:
        """Go on with what is in the store; raise `NotFound`, `BadInput` or `CannotStart`."""
        self._problems.raise_if_any()
        async with self._engine(must_exist=True) as (store, pool):
            chosen = await self._named(store, name) if name else await self._unfinished(store)
            await self._refresh_accounts(store)
            return await self._work(store, pool, chosen, listeners, begun)

    def _read(self, file: Path) -> tuple[BatchFile, dict[str, AccountSettings]]:
        batch = open_batch(file, self._problems, self.options.encoding)
        overrides = Overrides(concurrency=self.options.concurrency, trust_accounts=self.options.trust_accounts)
        accounts = Accounts(self._registry, self._settings, overrides, self._problems).of(batch.header)
        if self.options.simulate:
            accounts = {name: replace(account, base_url=SIMULATOR) for name, account in accounts.items()}
        return batch, accounts

    def _intake(self, batch: BatchFile, accounts: Mapping[str, AccountSettings], pool: DecodePool) -> Intake:
        defaults = {**self._settings.defaults, **batch.header.defaults}
        surroundings = Surroundings(
            accounts=accounts,
            default_account=self.options.account or _text(defaults.get("account")),
            default_model=self.options.model or _text(defaults.get("model")),
            replaced_account=_text(batch.header.defaults.get("account")) if self.options.account else None,
            registry=self._registry,
            pictures=Pictures(partial(inspect, pool)),
        )
        return Intake(batch, surroundings, self._problems)

    async def _load(
        self, store: Store, pool: DecodePool, batch: BatchFile, accounts: Mapping[str, AccountSettings], file: Path
    ) -> Loaded:
        def check_keys(used: list[AccountSettings]) -> None:
            keys_of({account.name: account for account in used}, self._problems)

        try:
            return await self._intake(batch, accounts, pool).load(store.loading(), self.options.changed, str(file), check_keys)
        except AccountInUse as error:
            raise BadInput([Problem(message=str(error))]) from error

    def _report(self, loaded: Loaded, listeners: Listeners) -> None:
        news = News(self.clock, *listeners)
        news.tell(
            "batch_stored",
            added=loaded.added,
            known=loaded.known,
            gone=loaded.gone,
            kept=list(loaded.kept),
            replaced=list(loaded.replaced),
        )

    async def _refresh_accounts(self, store: Store) -> None:
        overrides = Overrides(concurrency=self.options.concurrency)
        builder = Accounts(self._registry, self._settings, overrides, self._problems)
        rows = await store.accounts()
        await store.put_accounts([builder.again(row.settings) for row in rows.values()])
        self._problems.raise_if_any()

    @asynccontextmanager
    async def _engine(self, *, must_exist: bool = False) -> AsyncIterator[tuple[Store, DecodePool]]:
        async with AsyncExitStack() as stack:
            try:
                if must_exist:
                    self._must_exist()
                _make_folder(self.database.absolute().parent)
                stack.enter_context(EngineLock(self.database))
                store = await stack.enter_async_context(Store.open(self.database, self.clock))
            except (AlreadyRunning, CannotOpen) as error:
                raise CannotStart(str(error)) from error
            pool = await stack.enter_async_context(DecodePool())
            yield store, pool

    async def _work(
        self, store: Store, pool: DecodePool, batches: Sequence[Batch], listeners: Listeners, begun: Begun
    ) -> Finished:
        scope = Scope(batches=[batch.id for batch in batches], only=self.options.only, limit=self.options.limit)
        board = Board(self.clock)
        board.begin(await store.counts(scope.batches))
        cancelled = board.states[State.CANCELLED]
        async with AsyncExitStack() as stack:
            tools = await self._tools(stack, store, pool, scope, board, listeners)
            self._claim_folders(tools, batches)
            await self._announce(tools, scope)
            runtime = Runtime(tools, scope)
            begun(runtime, board)
            outcome = await runtime.run()
        if outcome.ending is Ending.ABORTED:
            return Finished(outcome=outcome, overviews=(), manifests=(), exit_code=130)
        manifests = tuple([await self._write_manifest(store, batch) for batch in batches])
        overviews = tuple([await store.overview(batch) for batch in batches])
        troubled = board.troubled or sum(o.states.get(State.CANCELLED, 0) for o in overviews) > cancelled
        code = _exit_code(outcome, overviews, troubled=bool(troubled))
        return Finished(outcome=outcome, overviews=overviews, manifests=manifests, exit_code=code)

    async def _tools(
        self, stack: AsyncExitStack, store: Store, pool: DecodePool, scope: Scope, board: Board, listeners: Listeners
    ) -> Tools:
        used = await store.accounts_of(scope.batches)
        rows = {name: row for name, row in (await store.accounts()).items() if name in used}
        keys = self._keys(rows)
        spool = Spool(self._spool_folder)
        results = Results(self.out, spool, pool)
        stack.push_async_callback(results.close)
        desks = await self._desks(stack, store, rows)
        pulse = Pulse(self.clock)
        return Tools(
            clock=self.clock,
            random=self._random,
            store=store,
            transitions=store.transitions("engine", board.step),
            transport=await stack.enter_async_context(Transport(keys)),
            files=await stack.enter_async_context(Files()),
            results=results,
            spool=spool,
            providers=self._registry,
            desks=desks,
            news=News(self.clock, board.hear, lambda _: pulse.beat(), *listeners),
            pulse=pulse,
            out=self.out,
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )

    def _keys(self, rows: Mapping[str, AccountRow]) -> dict[str, Secret]:
        """Return the keys of the accounts in use; `run` has checked them, `resume` checks them here."""
        keys = keys_of({name: row.settings for name, row in rows.items()}, self._problems)
        self._problems.raise_if_any()
        return keys

    async def _desks(self, stack: AsyncExitStack, store: Store, rows: Mapping[str, AccountRow]) -> dict[str, Desk]:
        """Return the accounts at work; those at `simulator` get one in this process, which remembers its tasks in a journal."""
        desks = {name: desk_of(row, self.clock, self._random) for name, row in rows.items()}
        for name in desks:
            await store.lift_pause(name)
        simulated = [desk for desk in desks.values() if desk.settings.base_url == SIMULATOR]
        if simulated:
            folder = self.database.with_name(f"{self.database.stem}.simulator")
            _make_folder(folder)
            options = SimulatorOptions(journal=folder / "journal.jsonl", duration=1.0, jitter=0.5)
            simulator = await stack.enter_async_context(Simulator(options))
            for desk in simulated:
                desk.settings = replace(desk.settings, base_url=simulator.url_for(desk.settings.provider))
        return desks

    def _claim_folders(self, tools: Tools, batches: Sequence[Batch]) -> None:
        try:
            for batch in batches:
                folder = tools.results.folder(batch.name)
                folder.claim(tools.store.id, now=self.clock.now())
                folder.remove_stale()
        except ForeignFolder as error:
            raise CannotStart(str(error)) from error
        except OSError as error:
            raise CannotStart(f"the output folder {self.out} cannot be used: {error.strerror}") from error

    async def _announce(self, tools: Tools, scope: Scope) -> None:
        """Say what may be paid before the first paid request."""
        figures = await tools.store.to_send(scope.batches, scope.only)
        jobs = figures.jobs if scope.limit is None else min(figures.jobs, scope.limit)
        tools.news.tell(
            "run_started",
            jobs=jobs,
            images=figures.images,
            likely=figures.likely,
            worst=figures.worst,
            unpriced=figures.unpriced,
            budget=None,
            simulated=self.options.simulate,
        )

    async def _named(self, store: Store, name: str) -> list[Batch]:
        batches = await store.batches()
        found = [batch for batch in batches if batch.name == name]
        if not found:
            known = ", ".join(batch.name for batch in batches) or "none yet"
            raise NotFound(f"there is no batch {name} in {self.database}; there are: {known}")
        return found

    async def _unfinished(self, store: Store) -> list[Batch]:
        return [batch for batch in await store.batches() if await store.is_unfinished(batch.id)]

    async def _write_manifest(self, store: Store, batch: Batch) -> Path:
        target = self.out / safe_name(batch.name) / "manifest.jsonl"
        await export(receipts(store.stories(batch.id)), (), Form.JSONL, target)
        return target

    def _must_exist(self) -> None:
        if not self.database.exists():
            raise CannotOpen(f"there is no store at {self.database}; `run FILE` makes one")

    # --- what only looks, or is the user's word ---------------------------------------------------------------------------

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Open the store beside an engine that may be at work on it."""
        self._problems.raise_if_any()
        try:
            self._must_exist()
            async with Store.open(self.database, self.clock) as store:
                yield store
        except CannotOpen as error:
            raise CannotStart(str(error)) from error

    async def batch(self, store: Store, name: str | None) -> Batch:
        """Return the batch of that name, or the only one; raise `NotFound`."""
        if name is not None:
            return (await self._named(store, name))[0]
        batches = await store.batches()
        if len(batches) != 1:
            names = ", ".join(batch.name for batch in batches) or "none"
            raise NotFound(f"say which batch; {self.database} has: {names}")
        return batches[0]

    async def export(self, name: str | None, form: Form, target: Path | str) -> int:
        """Write a manifest and return its number of jobs; raise `NotFound` or `CannotStart`."""
        async with self.store() as store:
            batch = await self.batch(store, name)
            names = await store.meta_names(batch.id) if form is Form.CSV else []
            return await export(receipts(store.stories(batch.id)), names, form, target)

    async def overviews(self, name: str | None) -> list[Overview]:
        """Return the figures of one batch, or of all."""
        async with self.store() as store:
            batches = await self._named(store, name) if name else await store.batches()
            return [await store.overview(batch) for batch in batches]

    async def paused_accounts(self) -> dict[str, str]:
        """Return the accounts that were paused, and why."""
        async with self.store() as store:
            return {name: row.pause_message or "" for name, row in (await store.accounts()).items() if row.paused_at is not None}

    async def jobs(self, selection: Selection, limit: int) -> list[dict[str, Any]]:
        """Return jobs as flat rows, in file order."""
        async with self.store() as store:
            return await store.list_jobs(selection, limit)

    async def story(self, key: str, batch: str | None) -> tuple[Story, dict[str, Any]]:
        """Return one job's whole history, and its manifest row as data; raise `NotFound`."""
        async with self.store() as store:
            chosen = await self._selection(store, batch, (key,))
            rows = await store.list_jobs(chosen, 2)
            exact = [row for row in rows if row["key"] == key] or rows
            if not exact:
                raise NotFound(f"there is no job {key} in {self.database}")
            story = await store.story(int(str(exact[0]["id"])))
            return story, json_of(receipt(story))

    async def act(self, action: "Action", batch: str | None, keys: Sequence[str], **narrowing: Any) -> list[Chosen]:  # noqa: ANN401
        """Carry out the user's word on some jobs and return which they were."""
        async with self.store() as store:
            selection = replace(await self._selection(store, batch, keys), **narrowing)
            return await action(store, selection)

    async def resolve(
        self, action: "Action", batch: str | None, keys: Sequence[str], code: str | None
    ) -> tuple[list[Chosen], list[str]]:
        """Carry out the user's word on uncertain jobs; return which they were, and the keys of those that need none.

        A job whose answer lies readable in the spool is in no doubt: `resume` reads it, and nothing must be paid again.
        """
        async with self.store() as store:
            selection = replace(await self._selection(store, batch, keys), states=(State.UNCERTAIN,), code=code)
            rows = await store.list_jobs(selection, sys.maxsize)
            answered = [str(row["key"]) for row in rows if await self._answered(row)]
            doubtful = tuple(str(row["key"]) for row in rows if row["key"] not in answered)
            acted = await action(store, replace(selection, keys=doubtful)) if doubtful else []
            return acted, answered

    async def _answered(self, row: Mapping[str, Any]) -> bool:
        spool = Spool(self._spool_folder)
        attempt = str(row["attempt_id"])
        if not spool.has(attempt):
            return False
        spooled = await spool.read(attempt)
        try:
            self._registry.provider(row["provider"]).read_submission(
                Answer(status=spooled.status, headers=spooled.headers, body=spooled.body)
            )
        except Unreadable:
            return False
        return spooled.status in range(200, 300)

    @property
    def _spool_folder(self) -> Path:
        return self.database.with_name(f"{self.database.stem}.spool")

    async def _selection(self, store: Store, batch: str | None, keys: Sequence[str]) -> Selection:
        batch_id = (await self._named(store, batch))[0].id if batch else None
        return Selection(batch_id=batch_id, keys=tuple(keys) or None)

    def _today(self) -> date:
        return datetime.fromtimestamp(self.clock.now(), UTC).date()


Action = Callable[[Store, Selection], Awaitable[list[Chosen]]]
"""The user's word on a selection of jobs, e.g. `lambda store, jobs: store.operators.retry(jobs)`."""


def _exit_code(outcome: Outcome, overviews: Sequence[Overview], *, troubled: bool) -> int:
    """Return the exit code of design.md section 7: the first that applies."""
    if outcome.ending is Ending.DRAINED:
        return 75
    if outcome.ending is Ending.PAUSED:
        return 4
    if any(overview.states.get(State.UNCERTAIN) for overview in overviews):
        return 5
    return 1 if troubled else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


async def simulate(*, provider: str, host: str, port: int, announce: Callable[[str], None], **options: Any) -> None:  # noqa: ANN401
    """Run the simulator as a server until cancelled; raise `ValueError` for an option that is wrong."""
    await serve(SimulatorOptions(provider=provider, **options), host, port, announce)

"""The store as the rest of the program knows it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.forecast import Left
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.spec import Json
from orchestrator.store import accounts as account_rows
from orchestrator.store import chains, opening, reading, spending, stories, work
from orchestrator.store.books import Books
from orchestrator.store.callbacks import Callbacks
from orchestrator.store.door import Door, told
from orchestrator.store.doubts import Doubts
from orchestrator.store.facts import Redact
from orchestrator.store.invitations import Invitations
from orchestrator.store.loading import Loading
from orchestrator.store.operators import Operators, Selection
from orchestrator.store.records import Image, Job
from orchestrator.store.rescuing import Rescuing
from orchestrator.store.stories import Story

T = TypeVar("T")


class Store:
    """One SQLite file, open. Writing goes through `door`, reading through a few connections of its own."""

    def __init__(self, path: Path, store_id: str, door: Door, reader: AsyncEngine, clock: Clock) -> None:
        self.path, self.id, self.door = path, store_id, door
        self._reader, self._clock = reader, clock
        self.operators = Operators(door, clock)
        self.doubts = Doubts(self._read)
        self.callbacks = Callbacks(door, self._read, clock)
        self.invitations = Invitations(door, self._read, clock)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, clock: Clock) -> AsyncIterator[Self]:
        """Open the store at `path`, making or migrating it as needed; raise `CannotOpen`."""
        opening.make_private(path)
        opening.refuse_foreign(path)
        writer, reader = opening.engine_of(path, writes=True), opening.engine_of(path, writes=False)
        try:
            async with opening.connected(writer) as connection:
                store_id = await opening.prepare(connection, path, clock)
                door = Door(connection, await opening.driver_of(connection))
                try:
                    yield cls(path, store_id, door, reader, clock)
                finally:
                    await door.close()
        finally:
            await reader.dispose()
            await writer.dispose()

    def transitions(self, actor: str, observe: Callable[[Job, State], None], redact: Redact) -> Rescuing:
        """Return the engine's verbs, signed by `actor` in the history; see `Transitions` and `Rescuing`."""
        return Rescuing(self.door, self._clock, actor, observe, redact)

    def loading(self) -> Loading:
        """Begin to take in a batch file."""
        return Loading(self.door, self._clock)

    def books(self) -> Books:
        """Return what an audit asks."""
        return Books(self._read)

    async def accounts(self) -> dict[str, account_rows.AccountRow]:
        """Return every account by name."""
        return await self._read(account_rows.read_accounts)

    async def pause_account(self, name: str, failure: Failure) -> None:
        """Stop an account until the user resumes it."""
        await self.door.transact(lambda connection: account_rows.pause(connection, name, failure, self._clock.now()))

    async def lift_pause(self, name: str) -> None:
        """Let a paused account go on."""
        await self.door.transact(lambda connection: account_rows.lift(connection, name))

    async def keep_lessons(self, name: str, learned: Mapping[str, Json], *, gate_until: float, gate_streak: int) -> None:
        """Keep what an account has taught, and until when (Unix seconds) it is to be left alone."""
        await self.door.transact(lambda connection: account_rows.keep(connection, name, learned, gate_until, gate_streak))

    async def recently_sent(self, name: str, *, since: float) -> list[tuple[float, int]]:
        """Return when an account was sent requests from `since` (Unix seconds) on, and for how many images each."""
        return await self._read(lambda connection: account_rows.recently_sent(connection, name, since))

    async def put_accounts(self, settings: Sequence[AccountSettings]) -> None:
        """Store changed settings of known accounts; raise `AccountInUse`."""
        await self.door.transact(lambda connection: account_rows.put_accounts(connection, settings))

    async def uploaded(self, account: str, sha256: str, *, since: float) -> str | None:
        """Return the URL under which an account has this content already, uploaded after `since` (Unix seconds), or None."""
        facts = {"account": account, "sha256": sha256, "since": since}
        return await self._read(lambda connection: connection.scalar(_UPLOADED, facts))

    async def forgotten(self, job_id: int) -> dict[ErrorCode, float]:
        """Return what a provider said it had forgotten of a job's requests -> when the latest of them began (Unix seconds)."""

        async def look(connection: AsyncConnection) -> dict[ErrorCode, float]:
            rows = await connection.execute(_FORGOTTEN, {"job": job_id})
            return {ErrorCode(reason): began for reason, began in rows}

        return await self._read(look)

    async def remember_upload(self, account: str, sha256: str, url: str) -> None:
        """Keep the URL that an upload gave."""
        facts = {"account": account, "sha256": sha256, "url": url, "now": self._clock.now()}
        await self.door.transact(lambda connection: connection.execute(_REMEMBER_UPLOAD, facts))

    async def candidates(self, *, account: str, batches: Sequence[int], only: str | None, limit: int) -> list[Job]:
        """Return pending jobs of an account that may be sent now, most urgent first."""
        now = self._clock.now()
        return await self._read(
            lambda connection: work.candidates(connection, account=account, batches=batches, only=only, now=now, limit=limit)
        )

    async def in_state(self, *states: State, batches: Sequence[int], after: int, limit: int) -> list[Job]:
        """Return in-flight jobs by id, those above `after`."""
        return await self._read(lambda connection: work.in_state(connection, states, batches=batches, after=after, limit=limit))

    async def find_job(self, job_id: int) -> Job | None:
        """Return one job, whatever its state; None if there is none."""
        return await self._read(lambda connection: work.find(connection, job_id))

    async def images(self, job: Job) -> list[Image]:
        """Return the images of a job's latest attempt."""
        return await self._read(lambda connection: work.images(connection, job))

    async def parents(self, job: Job) -> list[chains.Parent]:
        """Return what a job needs of others, by slot."""
        return await self._read(lambda connection: chains.parents(connection, job.id))

    async def used_up(self, attempts: Sequence[str]) -> list[str]:
        """Return those of the attempts whose images are all saved: their raw answers are needed no more."""
        return await self._read(lambda connection: work.used_up(connection, attempts))

    async def counts(self, batches: Sequence[int]) -> dict[State, int]:
        """Return how many jobs stand in each state."""
        return await self._read(lambda connection: work.counts(connection, batches))

    async def to_send(self, batches: Sequence[int], only: str | None, limit: int | None) -> work.ToSend:
        """Return what is still to be submitted, and what it may cost."""
        return await self._read(lambda connection: work.to_send(connection, batches, only, limit))

    async def known_jobs(self, batch: int) -> dict[str, reading.KnownJob]:
        """Return every job of a batch by its key, to compare a file with."""
        return await self._read(lambda connection: reading.known_jobs(connection, batch))

    async def money_of(self, batches: Sequence[int]) -> list[spending.Spending]:
        """Return what batches have spent, and what their budgets leave."""
        return await self._read(lambda connection: spending.of_batches(connection, batches))

    async def money_of_today(self) -> list[spending.Spending]:
        """Return what the accounts with a budget per day have spent in this UTC day."""
        return await self._read(lambda connection: spending.of_accounts(connection, self._clock.now()))

    async def unpriced(self, batches: Sequence[int], only: str | None) -> list[spending.Unpriced]:
        """Return the jobs and attempts of unknown price that stand in the way of a budget."""
        return await self._read(lambda connection: spending.unpriced(connection, batches, only, self._clock.now()))

    async def set_budget(self, batch: int, amount: Decimal) -> None:
        """Give a batch a budget (USD) that lasts until the user says another one."""
        await self.door.transact(lambda connection: spending.set_budget(connection, batch, amount))

    async def left(self, batches: Sequence[int]) -> dict[str, Left]:
        """Return what each account has still to send."""
        return await self._read(lambda connection: work.left(connection, batches))

    async def accounts_of(self, batches: Sequence[int]) -> set[str]:
        """Return the accounts that these batches have jobs for."""
        return await self._read(lambda connection: work.accounts_of(connection, batches))

    async def is_unfinished(self, batch: int) -> bool:
        """Say whether a batch has jobs that are not at their end."""
        return await self._read(lambda connection: work.is_unfinished(connection, batch))

    async def next_due(self, *, account: str, batches: Sequence[int]) -> float | None:
        """Return when the next postponed job of an account is due."""
        return await self._read(lambda connection: work.next_due(connection, account=account, batches=batches))

    async def batches(self) -> list[reading.Batch]:
        """Return all batches, oldest first."""
        return await self._read(reading.batches)

    async def overview(self, batch: reading.Batch) -> reading.Overview:
        """Return the figures of one batch."""
        return await self._read(lambda connection: reading.overview(connection, batch))

    async def list_jobs(self, selection: Selection, limit: int) -> list[dict[str, object]]:
        """Return jobs in file order as flat rows."""
        return await self._read(lambda connection: reading.list_jobs(connection, selection, limit))

    async def story(self, job_id: int) -> Story:
        """Return one job with its whole history."""
        return await self._read(lambda connection: stories.story(connection, job_id))

    async def stories(self, batch_id: int) -> AsyncIterator[Story]:
        """Yield every job of a batch in file order, from one consistent view of the store."""
        try:
            async with self._reader.connect() as connection:
                async for story in stories.stories(connection, batch_id):
                    yield story
        except SQLAlchemyError as error:
            raise told(error) from error

    async def meta_names(self, batch_id: int) -> list[str]:
        """Return every name in the `meta` of a batch."""
        return await self._read(lambda connection: stories.meta_names(connection, batch_id))

    async def check(self) -> None:
        """Look at every page before anything is paid on its word; raise `CannotOpen`."""
        await self.door.look(opening.check)

    async def version_of_others(self) -> int:
        """Return a number that changes when another process has written to the file."""

        async def look(connection: AsyncConnection) -> int:
            return int((await connection.exec_driver_sql("PRAGMA data_version")).scalar_one())

        return await self.door.look(look)

    async def _read(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            async with self._reader.connect() as connection:
                return await question(connection)
        except SQLAlchemyError as error:
            raise told(error) from error


_FORGOTTEN = text(
    """
    SELECT reason, max(started_at) FROM attempt
    WHERE job_id = :job AND reason IN ('upload_forgotten', 'conversation_forgotten') GROUP BY reason
    """
)
_UPLOADED = text("SELECT url FROM upload WHERE account = :account AND sha256 = :sha256 AND uploaded_at > :since")
_REMEMBER_UPLOAD = text(
    """
    INSERT INTO upload (account, sha256, url, uploaded_at) VALUES (:account, :sha256, :url, :now)
    ON CONFLICT (account, sha256) DO UPDATE SET url = excluded.url, uploaded_at = excluded.uploaded_at
    """
)

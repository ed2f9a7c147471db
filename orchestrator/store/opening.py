"""Opening the one file: private, migrated, durable, and refused when it is not ours to touch."""

import asyncio
import os
import sqlite3
import stat
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from orchestrator.jobs.clock import Clock
from orchestrator.store import tables
from orchestrator.store.backup import keep_copy

SCHEMA = "0004"
"""The revision of `migrations/` that this code was written for; a test compares it with the newest one there."""

_VERSION_TABLE = "alembic_version"

PRAGMAS: Mapping[str, str] = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # NORMAL forgets the last commits with the power, and pays for them again
    "busy_timeout": "30000",
    "foreign_keys": "ON",
    "trusted_schema": "OFF",
    "cache_size": "-65536",
}


RESCUE = (
    "copy the file, then `sqlite3 COPY .recover | sqlite3 NEW` saves what can be saved; images that came lie in the output "
    "folder, and tasks are at the provider under the ids in COPY"
)
"""What helps with a damaged store (reliability.md e, F9)."""


class CannotOpen(Exception):
    """The store cannot be used: newer than this program, damaged, no store at all, or out of reach."""


def _connect_event(engine: AsyncEngine, *, writes: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection has no common type
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        cursor = connection.cursor()
        for name, value in PRAGMAS.items():
            cursor.execute(f"PRAGMA {name}={value}")
        if sys.platform == "darwin":
            cursor.execute("PRAGMA fullfsync=ON")
        if not writes:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads before it writes fails at once with SQLITE_BUSY, whatever the time-out says.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def engine_of(path: Path, *, writes: bool) -> AsyncEngine:
    """Return an engine on the file: one connection for writing, a few for reading."""
    size = 1 if writes else 3
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=size, max_overflow=0, hide_parameters=True)
    _connect_event(engine, writes=writes)
    return engine


def make_private(path: Path) -> None:
    """Create the file, readable by its owner only, if it is not there; SQLite gives its journals the same mode."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotOpen(f"cannot open the store {path}: {error.strerror}") from error
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if not is_file:  # SQLite would wait for the other end of a pipe
        raise CannotOpen(f"cannot open the store {path}: it is no file")


def refuse_foreign(path: Path) -> None:
    """Raise `CannotOpen` for a file that is not ours, before it is opened in a way that changes its first page."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
            tables_in_it = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError:
        return  # locked, or on a disk that cannot be written: the real opening says so
    except sqlite3.DatabaseError as error:
        raise CannotOpen(_explained(error)) from error
    if tables_in_it and _VERSION_TABLE not in tables_in_it:
        raise CannotOpen("this database belongs to another program: it has tables, but none of ours")


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Connect, or raise `CannotOpen` when the file is none that SQLite can use."""
    try:
        connection = await engine.connect()
    except (DatabaseError, sqlite3.DatabaseError, OSError) as error:
        raise CannotOpen(_explained(error)) from error
    try:
        yield connection
    finally:
        await connection.close()


async def driver_of(connection: AsyncConnection) -> aiosqlite.Connection:
    """Return the driver's own connection behind SQLAlchemy's."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, aiosqlite.Connection):
        raise TypeError(f"the store needs aiosqlite, not {type(driver).__name__}")
    return driver


async def prepare(connection: AsyncConnection, path: Path, clock: Clock) -> str:
    """Bring the schema up to date inside one transaction and return the store's id; raise `CannotOpen`."""
    try:
        async with connection.begin():
            await _migrate(connection, path)
            return await _identity(connection, clock)
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise CannotOpen(_explained(error)) from error


async def check(connection: AsyncConnection) -> None:
    """Look at every page; raise `CannotOpen` for damage that opening and single reads do not notice."""
    try:
        found = str(await connection.scalar(text("PRAGMA quick_check(1)")))
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise CannotOpen(_explained(error)) from error
    if found != "ok":
        raise CannotOpen(_damaged(found))


def _explained(error: Exception) -> str:
    reason = str(getattr(error, "orig", error))
    if "locked" in reason:
        return "the store is locked by another program for more than 30 s"
    if "readonly" in reason or "read-only" in reason:
        return "the store is read-only"
    return _damaged(reason)


def _damaged(reason: str) -> str:
    return f"the store is damaged or not a store at all ({reason}); nothing was changed and nothing sent; {RESCUE}"


def damage(path: Path, reason: str) -> str:
    """Return what to tell of a store that failed while it was in use."""
    return f"the store {path} cannot be trusted any more ({reason}); check it with PRAGMA integrity_check; {RESCUE}"


async def _migrate(connection: AsyncConnection, path: Path) -> None:
    found = await _revision(connection)
    if found == SCHEMA:
        return
    if found is not None and found > SCHEMA:
        raise CannotOpen(f"the store has schema {found}, this program knows up to {SCHEMA}: use a newer version of it")
    if found is not None:
        await _keep_copy(path, found)
    await connection.run_sync(_upgrade)


async def _keep_copy(path: Path, schema: str) -> None:
    """Keep what the older program can read, under the lock that the migration holds already."""
    try:
        await asyncio.to_thread(keep_copy, path, schema)
    except (OSError, sqlite3.Error) as error:
        raise CannotOpen(
            f"the store {path} has the older schema {schema}, and no copy of it could be kept beside it ({error}); "
            "nothing was changed"
        ) from error


async def _revision(connection: AsyncConnection) -> str | None:
    known = await connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = :name"), {"name": _VERSION_TABLE})
    return await connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 60 ms that only a new or outdated store needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA)


def migrations_folder() -> Path:
    """Return where the migrations lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


async def _identity(connection: AsyncConnection, clock: Clock) -> str:
    known: str | None = await connection.scalar(select(tables.store.c.id))
    if known is not None:
        return known
    fresh = uuid.uuid4().hex
    await connection.execute(tables.store.insert().values(id=fresh, created_at=clock.now()))
    return fresh

"""The one door for writing: what waits at a moment goes into one transaction, and each caller hears of it after the commit.

A commit with full durability costs milliseconds on real disks whether it carries one transition or fifty, so the door
collects. Inside a group, equal statements are sent together; only when some guard found its row changed is the group
taken back and written one by one, to learn which.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import aiosqlite
from sqlalchemy import Executable
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.prepared import prepared, within_driver

T = TypeVar("T")

Rows = dict[str, list[tuple[Any, ...]]]
"""What each statement is to be executed with."""
LARGEST_GROUP = 500
TURNS = 16
"""Turns of the event loop that a group waits for company: half a millisecond where little is going on, a fuller commit else."""

_PRIMARY = 0xFF
"""SQLite's extended codes carry the primary one in their lowest byte."""
_DAMAGE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE})
"""A full disk is told as an I/O error when it is the shared memory file that cannot grow."""


class Stale(Exception):
    """The row was no longer what the writer took it for: somebody was faster, and nothing was changed."""


class Unavailable(Exception):
    """The database did not take it: disk full, locked for too long, read-only. Nothing was changed, and it may pass."""


class Damaged(Unavailable):
    """The database cannot be trusted any more: its disk fails, or what it reads is no database. Nothing may go on."""


class Step(NamedTuple):
    """One statement of this module's callers with the values for one row."""

    statement: Executable
    values: dict[str, Any]


class Write(NamedTuple):
    """One transition: `guard` must change exactly one row, else none of it happens."""

    subject: int
    """The job it is about. Two writes about one job never share a group, so their order holds."""
    guard: Step
    others: Sequence[Step] = ()
    last: Sequence[Step] = ()
    """What must find all other steps of its group done."""


Work = Callable[[AsyncConnection], Awaitable[T]]


class Door:
    """Owns the writing connection."""

    def __init__(self, connection: AsyncConnection, driver: aiosqlite.Connection) -> None:
        self._connection, self._driver = connection, driver
        self._waiting: deque[tuple[Write, asyncio.Future[None]]] = deque()
        self._single: deque[tuple[Work[Any], bool, asyncio.Future[Any]]] = deque()
        self._woken = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="store door")
        self.commits = 0
        self.seconds = 0.0
        """Time that the transactions took, waiting for locks and disks included."""
        self.writes = 0

    async def write(self, write: Write) -> None:
        """Make one transition durable; raise `Stale` when its guard found another state."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((write, future))
        await self._heard(future)

    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own and return what it returns."""
        return await self._alone(work, in_transaction=True)

    async def look(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on the writing connection."""
        return await self._alone(work, in_transaction=False)

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        self._woken.set()
        await self._task

    async def _alone(self, work: Work[T], *, in_transaction: bool) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._single.append((work, in_transaction, future))
        return await self._heard(future)

    async def _heard(self, future: asyncio.Future[T]) -> T:
        if self._task.done():
            self._task.result()
            raise RuntimeError("the store's door is closed")
        self._woken.set()
        return await future

    async def _run(self) -> None:
        try:
            await self._serve()
        finally:
            unwritten = [future for _, future in self._waiting] + [future for *_, future in self._single]
            for future in unwritten:
                _fail(future, RuntimeError("the store's door closed before this was written"))

    async def _serve(self) -> None:
        while not (self._closing and not self._waiting and not self._single):
            await self._woken.wait()
            self._woken.clear()
            while self._waiting or self._single:
                if self._single:
                    await self._run_single(*self._single.popleft())
                if self._waiting:
                    await _some_turns()
                    await self._write_group(self._next_group())
            if self._closing:
                self._woken.set()

    async def _run_single(self, work: Work[Any], in_transaction: bool, future: asyncio.Future[Any]) -> None:
        try:
            if in_transaction:
                async with self._connection.begin():
                    result = await work(self._connection)
                self.commits += 1
            else:
                result = await work(self._connection)
                await self._connection.rollback()  # SQLAlchemy has begun a transaction by itself
        except Exception as error:  # noqa: BLE001 - every failure belongs to the caller who waits for it
            await self._connection.rollback()
            _fail(future, error)
        else:
            _resolve(future, result)

    def _next_group(self) -> list[tuple[Write, asyncio.Future[None]]]:
        group: list[tuple[Write, asyncio.Future[None]]] = []
        subjects: set[int] = set()
        left: deque[tuple[Write, asyncio.Future[None]]] = deque()
        while self._waiting and len(group) < LARGEST_GROUP:
            item = self._waiting.popleft()
            if item[0].subject in subjects:
                left.append(item)
            else:
                subjects.add(item[0].subject)
                group.append(item)
        self._waiting.extendleft(reversed(left))
        return group

    async def _write_group(self, group: list[tuple[Write, asyncio.Future[None]]]) -> None:
        begun = time.monotonic()
        try:
            await self._write([write for write, _ in group])
        except (Stale, sqlite3.IntegrityError):
            await self._write_one_by_one(group)
        except Exception as error:  # noqa: BLE001 - disk full, locked, damaged: each waiting caller must hear of it
            for _, future in group:
                _fail(future, error)
        else:
            self.commits += 1
            self.seconds += time.monotonic() - begun
            self.writes += len(group)
            for _, future in group:
                _resolve(future, None)

    async def _write_one_by_one(self, group: list[tuple[Write, asyncio.Future[None]]]) -> None:
        for write, future in group:
            try:
                await self._write([write])
            except Exception as error:  # noqa: BLE001 - it belongs to this caller alone
                _fail(future, error)
            else:
                self.commits += 1
                self.writes += 1
                _resolve(future, None)

    async def _write(self, writes: list[Write]) -> None:
        guards = _gathered([write.guard for write in writes])
        others = _gathered([step for write in writes for step in write.others])
        last = _gathered([step for write in writes for step in write.last])
        await within_driver(self._driver, partial(_written, guards, [*others.items(), *last.items()]))


async def _some_turns() -> None:
    """Let others of the loop go first, so that those who have something to write as well share the commit."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _written(guards: Rows, others: list[tuple[str, list[tuple[Any, ...]]]], connection: sqlite3.Connection) -> None:
    """Write a group in one transaction and one visit to the driver's thread, which else were woken for every statement."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, rows in guards.items():
            if connection.executemany(sql, rows).rowcount != len(rows):
                raise Stale  # noqa: TRY301 - the rollback below is for this, too
        for sql, rows in others:
            connection.executemany(sql, rows)
        # failpoint P0'
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _gathered(steps: list[Step]) -> Rows:
    """Return the rows by statement, in the order in which each statement first appears."""
    found: Rows = {}
    for step in steps:
        statement = prepared(step.statement, tuple(step.values))
        found.setdefault(statement.sql, []).append(statement.row(step.values))
    return found


def _resolve(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(told(error))


def told(error: Exception) -> Exception:
    """Return a database's error as `Unavailable` or `Damaged`; any other, and a broken constraint, as it is."""
    if not isinstance(error, SQLAlchemyError | sqlite3.Error) or isinstance(error, IntegrityError | sqlite3.IntegrityError):
        return error
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None) or 0
    is_damaged = code & _PRIMARY in _DAMAGE and code not in _NO_ROOM
    return (Damaged if is_damaged else Unavailable)(str(cause))

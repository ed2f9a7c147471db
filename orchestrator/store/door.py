"""The one door for writing: what waits at a moment goes into one transaction, and each caller hears of it after the commit.

A commit with full durability costs milliseconds on real disks whether it carries one transition or fifty, so the door
collects. Inside a group, equal statements are sent together; only when some guard found its row changed is the group
taken back and written one by one, to learn which.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Executable
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.prepared import prepared

T = TypeVar("T")

LARGEST_GROUP = 500


class Stale(Exception):
    """The row was no longer what the writer took it for: somebody was faster, and nothing was changed."""


class Unavailable(Exception):
    """The database did not take it: disk full, locked for too long, read-only, damaged. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of this module's callers with the values for one row."""

    statement: Executable
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One transition: `guard` must change exactly one row, else none of it happens."""

    subject: int
    """The job it is about. Two writes about one job never share a group, so their order holds."""
    guard: Step
    others: Sequence[Step] = ()


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
        try:
            async with self._together():
                await self._execute([write for write, _ in group])
        except (Stale, sqlite3.IntegrityError):
            await self._write_one_by_one(group)
        except Exception as error:  # noqa: BLE001 - disk full, locked, damaged: each waiting caller must hear of it
            for _, future in group:
                _fail(future, error)
        else:
            self.commits += 1
            self.writes += len(group)
            for _, future in group:
                _resolve(future, None)

    async def _write_one_by_one(self, group: list[tuple[Write, asyncio.Future[None]]]) -> None:
        for write, future in group:
            try:
                async with self._together():
                    await self._execute([write])
            except Exception as error:  # noqa: BLE001 - it belongs to this caller alone
                _fail(future, error)
            else:
                self.commits += 1
                self.writes += 1
                _resolve(future, None)

    @asynccontextmanager
    async def _together(self) -> AsyncIterator[None]:
        """Make what is executed inside one transaction of the driver's: groups go past SQLAlchemy, see `prepared`."""
        await self._driver.execute("BEGIN IMMEDIATE")
        try:
            yield
            await self._driver.commit()
        except BaseException:
            await self._driver.rollback()
            raise

    async def _execute(self, writes: list[Write]) -> None:
        for sql, rows in _gathered([write.guard for write in writes]).items():
            changed = await self._driver.executemany(sql, rows)
            if changed.rowcount != len(rows):
                raise Stale
        for sql, rows in _gathered([step for write in writes for step in write.others]).items():
            await self._driver.executemany(sql, rows)


def _gathered(steps: list[Step]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows by statement, in the order in which each statement first appears."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for step in steps:
        statement = prepared(step.statement, tuple(step.values))
        found.setdefault(statement.sql, []).append(statement.row(step.values))
    return found


def _resolve(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if isinstance(error, SQLAlchemyError | sqlite3.Error) and not isinstance(error, IntegrityError | sqlite3.IntegrityError):
        error = Unavailable(str(getattr(error, "orig", error)))
    if not future.done():
        future.set_exception(error)

"""Clocks for tests of the whole program: one that jumps from event to event, one that runs fast."""

import asyncio
import heapq
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START = 1_700_000_000.0
"""Unix seconds at which virtual time begins."""
_AT_WORK = frozenset("RD")
"""States of threads in /proc that run, want to run, or wait for the disk (proc(5))."""


class JumpingClock:
    """Time that stands still while anything goes on, and jumps to the earliest sleeper when nothing does.

    Waits are exact, whatever the machine is busy with, and cost no time: `async with JumpingClock() as clock: ...`. Nothing goes
    on when the event loop has been idle for `quiet` real seconds, and no other thread and no child process is at work.
    """

    def __init__(self, start: float = START, quiet: float = 0.006) -> None:
        self._start, self._quiet = start, quiet
        self._elapsed = 0.0
        self._stirred = 0
        self._asked = asyncio.Event()
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return virtual Unix seconds."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Sleep in virtual time."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if seconds > 0:
            heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
            self._asked.set()
            await woken
        else:
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        loop: Any = asyncio.get_running_loop()  # the selector of an event loop has no public name
        self._selector = loop._selector
        self._select = self._selector.select
        self._selector.select = self._counting_select
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._driver.cancel()
        with suppress(asyncio.CancelledError):
            await self._driver
        self._selector.select = self._select

    def _counting_select(self, timeout: float | None = None) -> list[Any]:
        """Count the rounds of the loop in which there was something to do."""
        events: list[Any] = self._select(timeout)
        self._stirred += bool(events) or timeout == 0
        return events

    async def _drive(self) -> None:
        calm = 0
        while True:
            await self._asked.wait()
            before = self._stirred
            await asyncio.sleep(self._quiet / 2)
            is_calm = self._stirred - before <= 1  # one round is our own awakening
            calm = calm + 1 if is_calm and not _others_at_work() else 0
            if calm > 1:
                self._jump()
                calm = 0

    def _jump(self) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._sleepers:
            self._elapsed = max(self._elapsed, self._sleepers[0][0])
        else:
            self._asked.clear()
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


class FastClock:
    """Real time, `factor` times as fast; processes that share `origin` (real Unix seconds) agree on what time it is."""

    def __init__(self, factor: float, origin: float | None = None) -> None:
        self.factor = factor
        self.origin = time.time() if origin is None else origin

    def now(self) -> float:
        """Return Unix seconds that run fast from `origin` on."""
        return self.origin + (time.time() - self.origin) * self.factor

    def monotonic(self) -> float:
        """Return seconds since an unspecified start."""
        return time.monotonic() * self.factor

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` of this clock."""
        await asyncio.sleep(seconds / self.factor)


def _others_at_work() -> bool:
    """Say whether another thread of this process, or a child, is at work; systems without /proc cannot tell."""
    me = f"/proc/{os.getpid()}/task/{threading.get_native_id()}"
    return any(_state(thread) in _AT_WORK for thread in _threads(os.getpid()) if str(thread) != me)


def _threads(process: int) -> Iterator[Path]:
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
    except OSError:  # a child that ended meanwhile
        return
    for thread in threads:
        yield thread
        for child in _read(thread / "children").split():
            yield from _threads(int(child))


def _state(thread: Path) -> str:
    return _read(thread / "stat").rpartition(")")[2].strip()[:1]


def _read(path: Path) -> str:
    """Return a file of /proc; empty when its thread is gone, or the system does not have it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

"""Time as a thing that is handed in, so that tests own it."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Three questions that may be asked of time; nothing else in the program asks the operating system."""

    def now(self) -> float:
        """Return the wall clock in Unix seconds: for what people and other machines read."""

    def monotonic(self) -> float:
        """Return seconds that never jump: for durations inside this process."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    """The real time."""

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since an unspecified start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(seconds)

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


_COUNTS_SLEEP: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux the monotonic clock stands still while a laptop is closed, and an intent would seem young when it wakes up."""


class SystemClock:
    """The real time."""

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since an unspecified start; those count that a machine has slept, where the system can tell."""
        return time.clock_gettime(_COUNTS_SLEEP)

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(seconds)


class SteadyClock:
    """A clock whose time of day goes on as it began, whoever sets the system's clock meanwhile (reliability.md e, F10).

    Waits that were written down as a time of day would else last days longer, or end at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.monotonic = clock.monotonic  # as it is: every job asks for it some forty times
        """Return seconds since an unspecified start."""
        self._difference = round(clock.now() - clock.monotonic(), 6)

    def now(self) -> float:
        """Return Unix seconds."""
        return self.monotonic() + self._difference

    async def sleep(self, seconds: float) -> None:
        """Sleep as the clock behind does."""
        await self._clock.sleep(seconds)

"""The simulator's own idea of time, so that tests can hand in theirs."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "RealClock"]


class Clock(Protocol):
    """Everything the simulator knows about time; all values in seconds."""

    def now(self) -> float:
        """Wall time, seconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, from any start."""

    async def sleep(self, seconds: float, /) -> None:
        """Wait that long."""


class RealClock:
    """The machine's clock."""

    def now(self) -> float:
        """Wall time, seconds since 1970 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)

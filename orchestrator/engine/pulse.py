"""Waiting for something to happen, but not for ever."""

import asyncio

from orchestrator.jobs.clock import Clock


async def wait(event: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Return when `event` is set, or after `seconds` (None: never by itself)."""
    if seconds is None or event.is_set():
        await event.wait()
        return
    wanted: list[asyncio.Task[object]] = [asyncio.create_task(event.wait()), asyncio.create_task(_sleep(clock, seconds))]
    try:
        await asyncio.wait(wanted, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in wanted:
            task.cancel()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep(max(0.0, seconds))


TICK = 1.0
"""Seconds after which everyone looks again although nothing was heard."""


class Pulse:
    """Beats whenever anything has changed, and once a second; those who wait look again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Wake everyone who waits now."""
        self._event.set()  # it lets go whoever waits already, although it is cleared at once
        self._event.clear()

    async def run(self) -> None:
        """Beat once a second until cancelled: one sleeper for all, where a limit on each wait would cost two tasks a beat."""
        while True:
            await self._clock.sleep(TICK)
            self.beat()

    async def next(self) -> None:
        """Return at the next beat."""
        await self._event.wait()

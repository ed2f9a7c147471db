"""Waiting for something to happen, but not for ever."""

import asyncio

from orchestrator.jobs.clock import Clock


async def wait(event: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Return when `event` is set, or after `seconds` (None: never by itself)."""
    wanted: list[asyncio.Task[object]] = [asyncio.create_task(event.wait())]
    if seconds is not None:
        wanted.append(asyncio.create_task(_sleep(clock, seconds)))
    try:
        await asyncio.wait(wanted, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in wanted:
            task.cancel()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep(max(0.0, seconds))


class Pulse:
    """Beats whenever anything has changed; those who wait look again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Wake everyone who waits now."""
        self._event.set()
        self._event = asyncio.Event()

    async def next(self, seconds: float | None = None) -> None:
        """Return at the next beat, or after `seconds`."""
        await wait(self._event, self._clock, seconds)

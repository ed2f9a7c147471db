"""What throttles one account: its slots, and one gate for all of them.

A 429 closes the gate for everybody, since the limit belongs to the account and not to the request that hit it. The slots
are halved, grow back by one per quiet period, and after the gate opens they come back one by one. A provider that is away
closes the gate, too: after five failures in a row it is only probed, twice a minute, whatever the failures were.
"""

import asyncio
from dataclasses import dataclass
from random import Random

from orchestrator.engine.retry_budget import RetryBudget
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.retry import wait_after

QUIET_PERIOD = 10.0
"""Seconds without a 429 after which one slot is given back."""
HALVING_PAUSE = 1.0
"""Seconds in which the slots are halved at most once: a burst of 429s is one event."""


BREAKER = 5
"""Failures in a row after which the provider is taken to be away (reliability.md c)."""
PROBE_PAUSE = 30.0
"""Seconds between probes of a provider that is away, at least."""
_PROBE_JITTER = 1.1


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one request; `closures` tells whether it was sent before the gate closed."""

    closures: int


class Limiter:
    """Slots and gate of one account."""

    def __init__(self, slots: int, clock: Clock, random: Random) -> None:
        self._most, self._clock, self._random = slots, clock, random
        self._slots = float(slots)
        self._changed_slots_at = clock.monotonic()
        self._in_flight = 0
        self._closures = 0
        self._streak = 0
        self._failures = 0
        self.retries = RetryBudget(clock)
        self._open_at = clock.monotonic()
        self._returning: int | None = None
        self._closed_since: float | None = None
        self._woken = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that were let through and have not ended."""
        return self._in_flight

    @property
    def closed_for(self) -> float:
        """Seconds until the gate opens; 0 when it is open."""
        return max(0.0, self._open_at - self._clock.monotonic())

    @property
    def stuck_for(self) -> float:
        """Seconds since the first of the closures in a row; 0 after a success."""
        return 0.0 if self._closed_since is None else self._clock.monotonic() - self._closed_since

    @property
    def slots(self) -> int:
        """Requests that may be in flight now."""
        quiet = int((self._clock.monotonic() - self._changed_slots_at) / QUIET_PERIOD)
        if quiet > 0 and self._slots < self._most:
            self._slots = min(float(self._most), self._slots + quiet)
            self._changed_slots_at += quiet * QUIET_PERIOD
        free = max(1, int(self._slots))
        return free if self._returning is None else min(free, self._returning)

    async def acquire(self) -> Permit:
        """Wait for a free slot behind an open gate."""
        while True:
            if self.closed_for > 0:
                await self._clock.sleep(self.closed_for)
            elif self._in_flight < self.slots:
                self._in_flight += 1
                return Permit(self._closures)
            else:
                self._woken.clear()
                await self._woken.wait()

    def release(self) -> None:
        """Give a slot back."""
        self._in_flight -= 1
        self._woken.set()

    def succeeded(self, permit: Permit) -> None:
        """Note an answer that was no refusal of the account: the next slot comes back."""
        self._failures = 0
        if permit.closures != self._closures:
            return
        self._streak = 0
        self._closed_since = None
        if self._returning is not None:
            self._returning += 1
            if self._returning >= self._slots:
                self._returning = None
        self._woken.set()

    def probe(self) -> None:
        """Begin with one request at a time: the account was paused, and may still be."""
        self._returning = 1

    def throttled(self, permit: Permit, retry_after: float | None) -> None:
        """Close the gate after a 429: for 1, 2, 4 ... seconds by closures in a row, never shorter than the provider asks."""
        now = self._clock.monotonic()
        if now - self._changed_slots_at >= HALVING_PAUSE or self._closures == 0:
            self._slots = max(1.0, self._slots / 2)
            self._changed_slots_at = now
        self._failures = 0  # it refuses, so it is there
        self._close(permit, retry_after)

    def unreachable(self, permit: Permit, retry_after: float | None = None) -> None:
        """Close the gate after a connection that could not be made, or a 503: nobody needs to knock in turns."""
        self._failures += 1
        self._close(permit, retry_after)

    def troubled(self, permit: Permit) -> None:
        """Note an error or a lost answer; alone it says nothing about the next request, but many in a row do."""
        self._failures += 1
        if self._failures >= BREAKER:
            self._close(permit, None)

    def _close(self, permit: Permit, retry_after: float | None) -> None:
        now = self._clock.monotonic()
        if permit.closures == self._closures:  # sent through the open gate: a new refusal, not one of the same burst
            self._closures += 1
            self._streak += 1
            self._closed_since = now if self._closed_since is None else self._closed_since
            wait = self._wait(retry_after)
        else:
            wait = retry_after or 0.0
        self._open_at = max(self._open_at, now + wait)
        self._returning = 1

    def _wait(self, retry_after: float | None) -> float:
        if self._failures < BREAKER:
            return wait_after(self._streak, self._random, retry_after)
        return max(PROBE_PAUSE * self._random.uniform(1.0, _PROBE_JITTER), retry_after or 0.0)

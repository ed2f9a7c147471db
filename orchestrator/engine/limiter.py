"""What throttles one account: its pace, its slots, and one gate for all of them.

The pace keeps just below the limits per minute, so that the gate has little to do. A 429 closes the gate for everybody, since
the limit belongs to the account and not to the request that hit it. The slots are halved, grow back by one per quiet period,
and after the gate opens they come back one by one. A provider that is away closes the gate, too: after five failures in a row
it is only probed, twice a minute, whatever the failures were.
"""

import asyncio
from collections.abc import Iterable, Mapping
from random import Random

from orchestrator.engine.permit import Permit
from orchestrator.engine.pulse import wait
from orchestrator.engine.retry_budget import RetryBudget
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.limits import Complaint, Subject, requests_per_minute
from orchestrator.jobs.meter import Meter
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
_RECENT = 0.1
"""Share of the latest answer in the average of their times."""
_NOTHING = Complaint()


class Limiter:
    """Pace, slots and gate of one account."""

    def __init__(
        self, slots: int, clock: Clock, random: Random, *, requests: Meter | None = None, images: Meter | None = None
    ) -> None:
        self._most, self._clock, self._random = slots, clock, random
        self.requests = requests or Meter(None)
        self.images = images or Meter(None)
        self.answer: float | None = None
        """Seconds in which paid requests are answered of late; None before the first."""
        self.throttles = 0
        """How often the account refused for too much."""
        self._is_told = self.requests.stated is not None
        self._headers: str | None = None
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
    def closures(self) -> int:
        """How often the gate was closed."""
        return self._closures

    @property
    def streak(self) -> int:
        """Closures in a row, without a success in between."""
        return self._streak

    @property
    def closed_for(self) -> float:
        """Seconds until the gate opens; 0 when it is open."""
        return max(0.0, self._open_at - self._clock.monotonic())

    @property
    def stuck_for(self) -> float:
        """Seconds since the first of the closures in a row; 0 after a success."""
        return 0.0 if self._closed_since is None else self._clock.monotonic() - self._closed_since

    @property
    def is_away(self) -> bool:
        """Whether so many requests failed in a row that the provider is only probed."""
        return self._failures >= BREAKER

    @property
    def slots(self) -> int:
        """Requests that may be in flight now."""
        quiet = int((self._clock.monotonic() - self._changed_slots_at) / QUIET_PERIOD)
        if quiet > 0 and self._slots < self._most:
            self._slots = min(float(self._most), self._slots + quiet)
            self._changed_slots_at += quiet * QUIET_PERIOD
        free = max(1, int(self._slots))
        return free if self._returning is None else min(free, self._returning)

    async def acquire(self, images: int = 1) -> Permit:
        """Wait for a free slot behind an open gate, in the account's pace, for a request of so many images."""
        while True:
            permit = self.take(images)
            if permit is not None:
                return permit
            await self.change(images)

    def take(self, images: int) -> Permit | None:
        """Return the right to send a request of so many images, or None when it has to wait."""
        if self._in_flight >= self.slots or self.wait(images) > 0:
            return None
        self._in_flight += 1
        self.requests.reserve(1)
        self.images.reserve(images)
        return Permit(self._closures, images)

    def wait(self, images: int) -> float:
        """Return the seconds for which gate and pace hold a request of so many images back, as far as is known now."""
        now = self._clock.monotonic()
        return max(self._open_at - now, self.requests.wait(1, now), self.images.wait(images, now))

    def spare(self, images: int) -> int:
        """Return how many images may pass a request that has to wait for its pace, without making it wait longer; 0: none."""
        now = self._clock.monotonic()
        if self._open_at > now or self._in_flight >= self.slots or self.requests.wait(1, now) > 0:
            return 0
        return self.images.spare(images, now)

    def gap(self) -> int:
        """Return how many images may go now into a window that has begun; 0 when it is empty, or no window is counted."""
        if self._in_flight >= self.slots or self.wait(1) > 0:
            return 0
        return self.images.gap(self._clock.monotonic())

    async def change(self, images: int) -> None:
        """Return when a request of so many images should be tried again."""
        self._woken.clear()
        if self.closed_for > 0:
            await self._clock.sleep(self.closed_for)
        elif self._in_flight < self.slots and (seconds := self.wait(images)) > 0:
            seconds = min(seconds, self.images.next_room(self._clock.monotonic())) if images > 1 else seconds
            await wait(self._woken, self._clock, seconds)
        else:
            await self._woken.wait()

    def sent(self, permit: Permit) -> None:
        """Count a request from the moment in which it leaves."""
        now = self._clock.monotonic()
        permit.sent_at = now
        self.requests.sent(1, now)
        self.images.sent(permit.images, now)
        self.retries.sent()
        self._woken.set()

    def remember(self, sent: Iterable[tuple[float, int]]) -> None:
        """Count what was sent before this process: Unix seconds, oldest first, and images."""
        shift = self._clock.monotonic() - self._clock.now()
        for at, images in sent:
            self.requests.remember([(at + shift, 1)])
            self.images.remember([(at + shift, images)])

    def release(self, permit: Permit) -> None:
        """Give a slot back, and the pace of a request that was not sent."""
        if permit.sent_at is None:
            self.requests.cancel(1)
            self.images.cancel(permit.images)
        else:
            self.requests.answered(1)
            self.images.answered(permit.images)
        self._in_flight -= 1
        self._woken.set()

    def hear(self, headers: Mapping[str, str]) -> None:
        """Take note of an announced limit, where nobody has set one."""
        if self._is_told:
            return
        announced = headers.get("x-ratelimit-limit-requests") or headers.get("x-ratelimit-limit")
        if announced is not None and announced != self._headers:
            self._headers = announced
            self.requests.stated = requests_per_minute(headers) or self.requests.stated

    def succeeded(self, permit: Permit) -> None:
        """Note an answer that was no refusal of the account: the next slot comes back."""
        self._failures = 0
        if permit.sent_at is not None:
            took = self._clock.monotonic() - permit.sent_at
            self.answer = took if self.answer is None else self.answer + _RECENT * (took - self.answer)
        if permit.closures != self._closures:
            return
        self.requests.accepted()
        self.images.accepted()
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

    def resume(self, seconds: float, streak: int) -> None:
        """Keep the gate closed for so long as an earlier process has closed it."""
        if seconds > 0:
            self._open_at = self._clock.monotonic() + seconds
            self._streak, self._closures, self._returning = streak, 1, 1

    def throttled(self, permit: Permit, retry_after: float | None, about: Complaint = _NOTHING) -> None:
        """Close the gate after a 429: for 1, 2, 4 ... seconds by closures in a row, never shorter than the provider asks."""
        now = self._clock.monotonic()
        self.throttles += 1
        if now - self._changed_slots_at >= HALVING_PAUSE or self._closures == 0:
            self._slots = max(1.0, self._slots / 2)
            self._changed_slots_at = now
        self._failures = 0  # it refuses, so it is there
        if permit.sent_at is not None:
            self._learn(permit, about, now)
        self._close(permit, retry_after)

    def unreachable(self, permit: Permit, retry_after: float | None = None) -> None:
        """Close the gate after a connection that could not be made, or a 503: nobody needs to knock in turns."""
        self._failures += 1
        self._close(permit, retry_after)

    def troubled(self, permit: Permit) -> None:
        """Note an error or a lost answer; alone it says nothing about the next request, but many in a row do."""
        self._failures += 1
        if self.is_away:
            self._close(permit, None)

    def _learn(self, permit: Permit, about: Complaint, now: float) -> None:
        """Let the limit that was hit learn from it, once for all requests that were refused together."""
        is_images = about.subject is Subject.IMAGES or (about.subject is None and not self._is_about_requests())
        for meter, units, is_hit in ((self.requests, 1, not is_images), (self.images, permit.images, is_images)):
            if is_hit and about.limit is not None:
                meter.stated = about.limit if meter.stated is None else min(meter.stated, about.limit)
            if is_hit and about.subject is not Subject.AT_ONCE and permit.closures == self._closures:
                meter.refused(units, now)
            else:
                meter.returned(units)

    def _is_about_requests(self) -> bool:
        """Say which limit a refusal without words is about: the only one that is known; else images, as most often."""
        return self.requests.limit is not None and self.images.limit is None

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
        if not self.is_away:
            return wait_after(self._streak, self._random, retry_after)
        return max(PROBE_PAUSE * self._random.uniform(1.0, _PROBE_JITTER), retry_after or 0.0)

"""How fast a provider lets its clients go: buckets or windows for submissions, a line for downloads."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock

__all__ = ["Limiter", "Line", "Pace", "pace_of"]

Limiter = Literal["bucket", "fixed", "sliding"]

SECONDS_PER_MINUTE = 60.0
BURST_SHARE = 6
"""ToAPIs lets a sixth of the minute's requests come at once (providers.md 1.8)."""
ROUNDING = 1e-9
"""A client that waits exactly as long as it was told must not fail by the last bit of a float."""


class Pace(Protocol):
    """One way to count units per minute; `units` is 1 for a request, or its images."""

    per_minute: float

    def has(self, units: int) -> bool:
        """Whether so many would be let through now."""

    def take(self, units: int) -> None:
        """Count them; a refused request counts nothing."""

    @property
    def remaining(self) -> int:
        """Units that would be let through now."""

    @property
    def seconds_to_next(self) -> float:
        """Seconds until one more would be let through."""


class TokenBucket:
    """Lets `per_minute` units through, up to `burst` of them at once."""

    def __init__(self, *, per_minute: float, burst: int, clock: Clock) -> None:
        self.per_minute = per_minute
        self._capacity = float(max(1, burst))
        self._tokens = self._capacity
        self._clock = clock
        self._filled_at = clock.monotonic()

    def has(self, units: int) -> bool:
        """Whether the bucket holds so many."""
        self._fill()
        return self._tokens >= units - ROUNDING

    def take(self, units: int) -> None:
        """Take them out."""
        self._tokens = max(0.0, self._tokens - units)

    @property
    def remaining(self) -> int:
        """Units in the bucket."""
        self._fill()
        return int(self._tokens + ROUNDING)

    @property
    def seconds_to_next(self) -> float:
        """Seconds until the bucket holds one more."""
        self._fill()
        return max(0.0, (1 - self._tokens) * SECONDS_PER_MINUTE / self.per_minute)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self.per_minute / SECONDS_PER_MINUTE
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now


class Window:
    """Lets `per_minute` units through in every minute: each of its own, begun by its first unit, or in any (`slides`)."""

    def __init__(self, *, per_minute: float, slides: bool, clock: Clock) -> None:
        self.per_minute = per_minute
        self._slides = slides
        self._clock = clock
        self._taken: deque[tuple[float, int]] = deque()

    def has(self, units: int) -> bool:
        """Whether the minute has room for so many."""
        self._forget()
        return self._used + units <= self.per_minute

    def take(self, units: int) -> None:
        """Count them in this minute."""
        self._taken.append((self._clock.monotonic(), units))

    @property
    def remaining(self) -> int:
        """Units for which the minute has room."""
        self._forget()
        return int(self.per_minute - self._used)

    @property
    def seconds_to_next(self) -> float:
        """Seconds until the minute has room for one more."""
        if self.remaining >= 1:
            return 0.0
        return self._taken[0][0] + SECONDS_PER_MINUTE - self._clock.monotonic()

    @property
    def _used(self) -> int:
        return sum(units for _, units in self._taken)

    def _forget(self) -> None:
        over = self._clock.monotonic() - SECONDS_PER_MINUTE
        if self._slides:
            while self._taken and self._taken[0][0] <= over:
                self._taken.popleft()
        elif self._taken and self._taken[0][0] <= over:
            self._taken.clear()


def pace_of(kind: Limiter, per_minute: float, burst: int, clock: Clock) -> Pace:
    """Return what counts units in this way."""
    if kind == "bucket":
        return TokenBucket(per_minute=per_minute, burst=burst, clock=clock)
    return Window(per_minute=per_minute, slides=kind == "sliding", clock=clock)


class Line:
    """Serves `per_second` requests, one after the other; None serves all at once."""

    def __init__(self, *, per_second: float | None, clock: Clock) -> None:
        self._spacing = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._next = 0.0

    def wait(self) -> float:
        """Join the line; seconds until it is one's turn."""
        if not self._spacing:
            return 0.0
        now = self._clock.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._spacing
        return turn - now

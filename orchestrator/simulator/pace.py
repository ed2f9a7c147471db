"""How fast a provider lets its clients go: a token bucket for submissions, a line for downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock

__all__ = ["Line", "TokenBucket"]

SECONDS_PER_MINUTE = 60.0
BURST_SHARE = 6
"""ToAPIs lets a sixth of the minute's requests come at once (providers.md 1.8)."""
ROUNDING = 1e-9
"""A client that waits exactly as long as it was told must not fail by the last bit of a float."""


class TokenBucket:
    """Lets `per_minute` requests through, up to `burst` of them at once."""

    def __init__(self, *, per_minute: float, burst: int | None, clock: Clock) -> None:
        self.per_minute = per_minute
        self._capacity = float(max(1, burst if burst is not None else int(per_minute // BURST_SHARE)))
        self._tokens = self._capacity
        self._clock = clock
        self._filled_at = clock.monotonic()

    def take(self) -> bool:
        """Take one token if there is one; a refused request takes none."""
        self._fill()
        if self._tokens < 1 - ROUNDING:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True

    @property
    def remaining(self) -> int:
        """Requests that would be let through now."""
        self._fill()
        return int(self._tokens + ROUNDING)

    @property
    def seconds_to_next(self) -> float:
        """Seconds until one more request would be let through."""
        self._fill()
        return max(0.0, (1 - self._tokens) * SECONDS_PER_MINUTE / self.per_minute)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self.per_minute / SECONDS_PER_MINUTE
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now


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

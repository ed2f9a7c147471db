"""The limits per minute of a simulated account: requests, which are announced, and images, which are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from orchestrator.simulator.pace import BURST_SHARE, Pace, pace_of

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.options import SimulatorOptions

__all__ = ["Limits"]


class Announcing(Protocol):
    """Who knows how an API announces its limits."""

    def pace_headers(self, limit: int, remaining: int, reset: float) -> dict[str, str]:
        """Rate limit headers; `reset` is seconds until one more request is let through."""


class Limits:
    """Counts paid requests and their images."""

    def __init__(self, options: SimulatorOptions, clock: Clock) -> None:
        self._announces = options.announces
        self._requests = _requests_of(options, clock)
        self._images = pace_of(options.limiter, options.ipm, int(options.ipm), clock) if options.ipm else None

    def take(self, n: object) -> bool:
        """Count a request for `n` images, as it came, where both limits allow it; else neither counts it."""
        asked = [(self._requests, 1), (self._images, _number_in(n))]
        counted = [(pace, units) for pace, units in asked if pace is not None]
        if not all(pace.has(units) for pace, units in counted):
            return False
        for pace, units in counted:
            pace.take(units)
        return True

    def headers(self, api: Announcing) -> dict[str, str]:
        """What an answer says of the limit of requests."""
        pace = self._requests
        if pace is None or not self._announces:
            return {}
        return api.pace_headers(int(pace.per_minute), pace.remaining, pace.seconds_to_next)


def _requests_of(options: SimulatorOptions, clock: Clock) -> Pace | None:
    if options.rpm is None:
        return None
    burst = options.burst if options.burst is not None else int(options.rpm // BURST_SHARE)
    return pace_of(options.limiter, options.rpm, burst, clock)


def _number_in(value: object) -> int:
    """Return the images that a request asks for, as far as it can be told before it is judged."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else 1

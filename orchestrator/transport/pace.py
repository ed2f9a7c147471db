"""How fast a body comes: one that trickles would hold a download slot, and its link's life, for minutes."""

from orchestrator.jobs.clock import Clock

WINDOW = 30.0
"""Seconds over which the speed is measured."""
SLOWEST = 4096
"""Bytes per second (reliability.md d.2; curl calls the pair --speed-time and --speed-limit)."""


class TooSlow(TimeoutError):
    """A body that comes, but so slowly that its connection is as good as dead."""


class Pace:
    """Watches one body."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._came = 0

    def came(self, size: int) -> None:
        """Note `size` more bytes; raise `TooSlow` when a whole window brought too few."""
        self._came += size
        elapsed = self._clock.monotonic() - self._since
        if elapsed < WINDOW:
            return
        if self._came < SLOWEST * elapsed:
            raise TooSlow(f"{self._came} bytes came in {elapsed:.0f} seconds")
        self._since, self._came = self._clock.monotonic(), 0

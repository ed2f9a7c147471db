"""Requests in a row with even gaps, such as polls: each is given its moment when it asks, so that no crowd waits for one."""

MOST, BURST = 30_000, 64
"""Requests per minute, and at once, where nobody says: what the largest accounts may ask of ToAPIs (providers.md 1.8)."""
QUIET = 10.0
"""Seconds without a refusal after which the gaps shrink again."""
SHRINKING = 0.9
PAUSE = 1.0
"""Seconds in which gaps are widened at most once: a burst of refusals is one event."""
_MEMORY = 0.1
"""Share of the latest gap in the average of gaps."""


class Spacing:
    """Gives out moments, in monotonic seconds; without a limit up to so many at once, until a refusal shows that there is one."""

    def __init__(self, per_minute: int | None) -> None:
        self._least, self._burst = (60.0 / per_minute, 0) if per_minute is not None else (60.0 / MOST, BURST)
        self._gap = self._least
        self._next = self._last = float("-inf")
        self._average = 0.0
        self._widened_at = float("-inf")

    @property
    def gap(self) -> float:
        """Seconds between two requests at least."""
        return self._gap

    def limit_to(self, per_minute: int) -> None:
        """Keep to a limit that was announced."""
        self._least, self._burst = 60.0 / per_minute, 0
        self._gap = max(self._gap, self._least)

    def moment(self, now: float) -> float:
        """Return when the next request may go; it is counted as gone then."""
        if self._gap > self._least and now - self._widened_at >= QUIET:
            self._gap, self._widened_at = max(self._least, self._gap * SHRINKING), now
        at = max(now, self._next - self._burst * self._gap)
        if self._last > float("-inf"):
            self._average += _MEMORY * (at - self._last - self._average)
        self._next, self._last = max(at, self._next) + self._gap, at
        return at

    def refused(self, now: float) -> None:
        """Ask half as often from now on."""
        if now - self._widened_at >= PAUSE:
            self._gap = 2 * max(self._gap, self._average, 1e-3)
            self._widened_at = now

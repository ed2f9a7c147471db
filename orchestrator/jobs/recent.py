"""What was sent in the window that ends now. All moments are monotonic seconds that the caller hands in."""

from collections import deque

WINDOW = 60.0
"""Seconds in which providers count."""
MARGIN = 0.01
"""Share of a window that is kept clear: requests do not travel equally fast, and two clocks are not one."""
_AT_ONCE = 0.05
"""Share of a window within which what was sent is taken to have been sent together."""


class Recent:
    """Units by the moment they were sent, each counted for a window and its margin."""

    def __init__(self, window: float) -> None:
        self._window = window
        self.span = window * (1 + MARGIN)
        """Seconds for which a unit is counted."""
        self._log: deque[tuple[float, int]] = deque()
        self._sum = 0

    def used(self, now: float) -> int:
        """Return the units in the window that ends now."""
        while self._log and self._log[0][0] + self.span <= now:
            self._sum -= self._log.popleft()[1]
        return self._sum

    def since(self, moment: float) -> int:
        """Return the units that were sent from that moment on."""
        return sum(units for at, units in self._log if at >= moment)

    def add(self, units: int, at: float) -> None:
        """Count units."""
        self.used(at)
        self._log.append((at, units))
        self._sum += units

    def take_back(self, units: int) -> bool:
        """Count the latest entry of so many units no more; say whether there was one."""
        for index in range(len(self._log) - 1, -1, -1):
            if self._log[index][1] == units:
                del self._log[index]
                self._sum -= units
                return True
        return False

    def down_to(self, most: int, now: float) -> tuple[float, int]:
        """Return when no more than `most` units are counted, and how many are then: what left together expires together."""
        used, at = self.used(now), now
        for sent_at, units in self._log:
            leaves_at = sent_at + self.span
            if used <= most and leaves_at > at + _AT_ONCE * self._window:
                break
            at = leaves_at if used > most else at
            used -= units
        return at, used

    def next_change(self, now: float) -> float:
        """Return the seconds until the oldest units are counted no more; without any, for ever."""
        self.used(now)
        return self._log[0][0] + self.span - now if self._log else float("inf")

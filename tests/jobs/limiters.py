"""How providers count, as oracles for the meter: each lets units through or refuses, by its own idea of a minute."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

MINUTE = 60.0


class Counting(Protocol):
    """One way to count; moments must not go back."""

    def takes(self, units: int, now: float) -> bool:
        """Let units through, or refuse them and count nothing."""


class Bucket:
    """A bucket of `size` units that is filled evenly."""

    def __init__(self, limit: int, size: int | None = None) -> None:
        self._limit, self._size = limit, size or limit
        self._held, self._at = float(self._size), 0.0

    def takes(self, units: int, now: float) -> bool:
        self._held = min(self._size, self._held + (now - self._at) * self._limit / MINUTE)
        self._at = now
        if self._held < units - 1e-9:
            return False
        self._held -= units
        return True


class FixedWindow:
    """Minutes that begin `phase` seconds before the clock's."""

    def __init__(self, limit: int, phase: float = 0.0) -> None:
        self._limit, self._phase = limit, phase
        self._window, self._used = 0, 0

    def takes(self, units: int, now: float) -> bool:
        window = int((now + self._phase) // MINUTE)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used + units > self._limit:
            return False
        self._used += units
        return True


class SlidingWindow:
    """Never more than the limit in any minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: deque[tuple[float, int]] = deque()

    def takes(self, units: int, now: float) -> bool:
        while self._taken and self._taken[0][0] + MINUTE <= now:
            self._taken.popleft()
        if sum(taken for _, taken in self._taken) + units > self._limit:
            return False
        self._taken.append((now, units))
        return True


KINDS: dict[str, Callable[[int], Counting]] = {"bucket": Bucket, "fixed window": FixedWindow, "sliding window": SlidingWindow}


def ideal(provider: Counting, jobs: Sequence[int]) -> float:
    """Return the seconds that somebody needs who asks every tenth of a second, in order, and is never punished for it."""
    now = 0.0
    for units in jobs:
        while not provider.takes(units, now):
            now += 0.1
    return now


@dataclass
class Course:
    """What came of sending jobs."""

    refusals: list[float] = field(default_factory=list)
    """Seconds since the start."""
    taken: list[tuple[float, int]] = field(default_factory=list)
    """Seconds and units."""

    @property
    def seconds(self) -> float:
        return self.taken[-1][0]

    def rate(self, since: float) -> float:
        """Return units per minute from `since` seconds on."""
        late = [(at, units) for at, units in self.taken if at >= since]
        return sum(units for _, units in late[:-1]) / (late[-1][0] - late[0][0]) * MINUTE

"""Results that are known and not yet on disk: when they pile up, submission has to wait, or links would die unfetched.

Submission stops when the oldest result is a quarter of its life old, and also when the pile, at the speed it is being worked
off, would take a quarter of the shortest life: with fast answers and slow downloads the first sign alone comes too late.
"""

import heapq
from dataclasses import dataclass

from orchestrator.jobs.clock import Clock

SHARE_OF_LIFE = 0.25
_MEMORY = 20
"""Downloads over which the speed is averaged."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The results of one job."""

    images: int
    since: float
    """Unix seconds at which they were ready."""
    deadline: float | None
    """Unix seconds at which they go; None for results that lie on our own disk."""

    @property
    def life(self) -> float | None:
        """Seconds the results live."""
        return None if self.deadline is None else max(0.0, self.deadline - self.since)


class Backlog:
    """Counts results from the moment they are known until they are on disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[int, Waiting] = {}
        self._quarters: list[tuple[float, int]] = []
        self._finished: list[float] = []
        self._shortest: float | None = None

    def add(self, job_id: int, waiting: Waiting) -> None:
        """Note results that are known."""
        if not self._waiting:
            self._finished, self._shortest = [self._clock.monotonic()], None
        self._waiting[job_id] = waiting
        if waiting.life is not None:
            self._shortest = waiting.life if self._shortest is None else min(self._shortest, waiting.life)
            heapq.heappush(self._quarters, (waiting.since + SHARE_OF_LIFE * waiting.life, job_id))

    def remove(self, job_id: int) -> None:
        """Note that a job's results are on disk, or given up."""
        if self._waiting.pop(job_id, None) is not None:
            self._finished = [*self._finished[-_MEMORY:], self._clock.monotonic()]

    def __len__(self) -> int:
        return len(self._waiting)

    def overdue(self) -> bool:
        """Say whether the oldest result is a quarter of its life old."""
        while self._quarters and self._quarters[0][1] not in self._waiting:
            heapq.heappop(self._quarters)
        return bool(self._quarters) and self._quarters[0][0] <= self._clock.now()

    def full(self, expected: int) -> bool:
        """Say whether submission should wait; `expected` results are on their way besides those waiting."""
        if self.overdue():
            return True
        pace = self._seconds_each()
        if not self._waiting or self._shortest is None or pace is None:
            return False
        return (len(self._waiting) + expected) * pace > SHARE_OF_LIFE * self._shortest

    def _seconds_each(self) -> float | None:
        """Return the seconds per download of late, or None before there is anything to go by."""
        if len(self._finished) < 3:  # noqa: PLR2004 - two intervals at least
            return None
        return (self._clock.monotonic() - self._finished[0]) / (len(self._finished) - 1)

"""How much of what an account is sent may be tries again: a provider in trouble is not helped by more requests."""

from collections import deque

from orchestrator.jobs.clock import Clock

WINDOW = 60.0
"""Seconds that are looked at."""
SHARE = 0.2
"""Tries again, of all requests in the window (reliability.md c)."""
FREE = 50
"""Requests in the window below which nothing is held back."""


class RetryBudget:
    """Counts the requests of one account and its tries again after errors; waiting out a 429 is none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: deque[float] = deque()
        self._retried: deque[float] = deque()

    def sent(self) -> None:
        """Note a request."""
        self._sent.append(self._clock.monotonic())
        self._forget(self._sent)

    def wait(self) -> float:
        """Return the seconds a try again has to wait at least: 0 while they are few, else they queue up at the rate allowed."""
        now = self._clock.monotonic()
        self._forget(self._retried)
        allowed = SHARE * len(self._sent)
        due = now
        if len(self._sent) > FREE and len(self._retried) >= allowed:
            due = max(now, self._retried[-1]) + WINDOW / allowed
        self._retried.append(due)
        return due - now

    def _forget(self, moments: deque[float]) -> None:
        oldest = self._clock.monotonic() - WINDOW
        while moments and moments[0] <= oldest:
            moments.popleft()

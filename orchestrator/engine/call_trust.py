"""Whether an account's provider calls when a task ends: while it does, asking can be seldom; silence makes it frequent again."""

from collections import Counter

STRETCH = 12.0
"""How many times as long the intervals between polls are while calls come."""
_MOST_MISSED = 3
"""Ends in a row that were found by asking, after which calls are not counted on."""


class CallTrust:
    """What is known of each account in this run; who was never heard is trusted at first."""

    def __init__(self) -> None:
        self._missed: Counter[str] = Counter()

    def arrived(self, account: str) -> None:
        """Take note of a call."""
        self._missed[account] = 0

    def missed(self, account: str) -> None:
        """Take note of a task that ended and was not told of."""
        self._missed[account] += 1

    def stretch(self, account: str) -> float:
        """Return the factor for the intervals of a task that is to be told of."""
        return STRETCH if self._missed[account] < _MOST_MISSED else 1.0

"""Whose turn it is among batches that share an account: deficit round robin by weight, in images."""

from collections import deque
from collections.abc import Mapping


class Rounds:
    """Gives each batch so many images a round as it has weight; what it cannot use for one job it keeps for the next."""

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._weights = weights
        self._credit: dict[int, int] = {}
        self._ring: deque[int] = deque()

    def next(self, costs: Mapping[int, int]) -> int:
        """Return the batch whose turn it is, of those in `costs`: batch -> images of its first job. At least one is needed.

        A batch that has nothing to send loses what it has saved up, so that nobody hoards while away.
        """
        if len(costs) == 1:
            return next(iter(costs))
        self._follow(costs)
        while (batch := self._ring[0]) and self._credit[batch] < costs[batch]:
            self._ring.rotate(-1)
            self._credit[self._ring[0]] += self._weights.get(self._ring[0], 1)
        self._credit[batch] -= costs[batch]
        return batch

    def give_back(self, batch: int, cost: int) -> None:
        """Take back a turn that was not used."""
        if batch in self._credit:
            self._credit[batch] += cost

    def take(self, batch: int, cost: int) -> None:
        """Let a batch go out of its turn, on its account."""
        self.give_back(batch, -cost)

    def _follow(self, costs: Mapping[int, int]) -> None:
        if self._credit.keys() != costs.keys():
            self._credit = {batch: self._credit.get(batch, 0) for batch in costs}
            known = [batch for batch in self._ring if batch in costs]
            self._ring = deque([*known, *(batch for batch in costs if batch not in known)])

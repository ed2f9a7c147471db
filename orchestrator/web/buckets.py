"""Token buckets for those who call without a right to: what they may ask is limited, what they cost is next to nothing."""

from collections import OrderedDict

from orchestrator.jobs.clock import Clock

_SOURCES = 10_000
"""Addresses that are remembered: more would let a flood fill the memory."""


class _Bucket:
    __slots__ = ("_filled_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._filled_at = rate, rate, now

    def take(self, now: float) -> bool:
        self._left = min(self._rate, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Buckets:
    """One bucket for each address and one for all; each holds what one second allows."""

    def __init__(self, clock: Clock, *, per_source: float, in_all: float) -> None:
        self._clock, self._per_source = clock, per_source
        self._all = _Bucket(in_all, clock.monotonic())
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, source: str) -> bool:
        """Say whether this address may be given one more true answer."""
        now = self._clock.monotonic()
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = _Bucket(self._per_source, now)
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(source)
        return bucket.take(now) and self._all.take(now)

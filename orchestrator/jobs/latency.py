"""How long tasks take, as far as polls can see, and when it is worth asking for one.

A life table: ages in bins of equal ratio, and for each how long tasks were at risk of finishing in it, and how many did. Tasks
that are still running count, too; else the quick ones, which are seen first, would pass for all. Old tasks count less and less.
"""

import math
from collections.abc import Mapping
from itertools import takewhile

from orchestrator.jobs.spec import Json

RATIO = 1.1
"""Upper end of a bin over its lower one."""
SHORTEST, LONGEST = 0.1, 86400.0
"""Seconds: what lies outside counts as these."""
FADING = 0.999
"""What a task counts when the next one has finished."""
KNOWN = 8.0
"""Tasks that must have finished before their ages say anything."""
FIRST, EACH = 0.48, 0.26
"""Share of tasks that are finished when one is asked for first, and of the rest each time after: for durations spread as they
mostly are (log-normal, sigma 0.5) that takes 3.1 polls a task and makes half of them known within 12 % of their duration."""
SEEN = 0.25
"""The same share for tasks that report how far they are: an early look tells when to come back."""
TAIL_STEP = 1.2
"""Ratio of ages at which a task is asked for that takes longer than those seen so far."""
_TAIL = 0.97
_LEAST_STEP = 1.03
_LATE = 1.01
"""How far beyond the announced end a task is asked for."""
_LONGER = 0.3
"""Share of their age that tasks take longer on average which are older than any that has finished."""
_SURE = 1.001
"""Ratio of two ages that are taken for one."""
_DOUBT = 0.1
"""Rate of finishing that every bin is taken to have besides what was seen in it."""
_LEAST_SEEN = 1e-3
"""Tasks that must have finished in a bin before it says anything."""
_HEAVIEST = 1e6
_BASE = math.log(RATIO)


class Latency:
    """Durations of the tasks of one model at one account."""

    def __init__(self, table: Mapping[int, tuple[float, float]] | None = None) -> None:
        self._at_risk = {bin_: risk for bin_, (risk, _) in (table or {}).items()}
        self._finished = {bin_: finished for bin_, (_, finished) in (table or {}).items()}
        self._weight = 1.0
        """What the next task counts; the tables are in this measure, too."""

    @classmethod
    def of(cls, stored: Json) -> "Latency":
        """Return what `as_json` gave; nothing for anything else."""
        if not isinstance(stored, Mapping):
            return cls()
        return cls({int(name): (float(risk), float(finished)) for name, (risk, finished) in stored.items()})

    def as_json(self) -> dict[str, Json]:
        """Return the life table as JSON."""
        self._weigh_anew()
        return {str(bin_): [round(risk, 3), round(self._finished.get(bin_, 0.0), 3)] for bin_, risk in self._at_risk.items()}

    @property
    def is_known(self) -> bool:
        """Whether enough has finished to go by."""
        return sum(self._finished.values()) >= KNOWN * self._weight

    def still_running(self, since: float, until: float) -> None:
        """Count a task that did not finish between these ages (seconds)."""
        for bin_, part in _parts(since, until):
            self._at_risk[bin_] = self._at_risk.get(bin_, 0.0) + part * self._weight

    def finished(self, since: float, until: float, *, exact: bool = False) -> None:
        """Count a task that finished somewhere between these ages: polls tell no more, unless it was `exact`ly the later."""
        if exact:
            self.still_running(since, until)
            since = until
        self._fade()
        since = min(max(since, SHORTEST), LONGEST / RATIO)
        parts = _parts(since, max(until, since * _SURE))
        odds = [part * (self._rate(bin_) + _DOUBT) for bin_, part in parts]
        left, unit = self._weight, self._weight / sum(odds)
        for (bin_, part), odd in zip(parts, odds, strict=True):
            share = odd * unit
            self._at_risk[bin_] = self._at_risk.get(bin_, 0.0) + part * (left - share / 2)
            self._finished[bin_] = self._finished.get(bin_, 0.0) + share
            left -= share

    def _fade(self) -> None:
        """Let what was counted count less than what follows, without going through all of it."""
        self._weight /= FADING
        if self._weight > _HEAVIEST:
            self._weigh_anew()

    def _weigh_anew(self) -> None:
        for table in (self._at_risk, self._finished):
            for bin_ in table:
                table[bin_] /= self._weight
        self._weight = 1.0

    def quantile(self, share: float) -> float | None:
        """Return the seconds within which this share of tasks is finished; None while no task was seen for so long."""
        left, wanted = 1.0, 1.0 - share
        for bin_ in self._seen():
            rate = self._rate(bin_)
            after = left * math.exp(-rate)
            if after <= wanted:
                return float(RATIO ** (bin_ + math.log(left / wanted) / rate))
            left = after
        return None

    def mean(self) -> float | None:
        """Return the seconds that a task takes on average; None before enough have finished."""
        if not self.is_known:
            return None
        left, total, age = 1.0, 0.0, 0.0
        for bin_ in self._seen():
            begins, ends, rate = RATIO**bin_, RATIO ** (bin_ + 1), self._rate(bin_)
            share = 1.0 - math.exp(-rate)
            total += left * (begins - age) + left * (ends - begins) * share / rate
            left, age = left * (1.0 - share), ends
        return total + left * age * _LONGER

    def finished_by(self, age: float) -> float:
        """Return the share of tasks that is finished at that age (seconds), as far as is known."""
        at = _bin(age)
        younger = takewhile(lambda bin_: bin_ < at, self._seen())
        return 1.0 - math.exp(-sum(self._rate(bin_) * min(1.0, at - bin_) for bin_ in younger))

    def next_look(self, age: float, *, reports: bool) -> float | None:
        """Return the age (seconds) at which to ask for a task that is not finished at this one, or None where nobody can tell.

        `reports` says whether its API tells how far a task is.
        """
        if not self.is_known:
            return None
        done = self.finished_by(age)
        if done >= _TAIL:
            return age * TAIL_STEP
        look = self.quantile(max(SEEN if reports else FIRST, done + EACH * (1 - done)))
        return None if look is None else max(look, age * _LEAST_STEP)

    def _rate(self, bin_: int) -> float:
        return self._finished.get(bin_, 0.0) / max(self._at_risk.get(bin_, 0.0), 1e-6)

    def _seen(self) -> list[int]:
        """Return the bins in which enough tasks were seen, from the shortest age on."""
        least = _LEAST_SEEN * self._weight
        return sorted([bin_ for bin_, finished in self._finished.items() if finished > least])


def announced_end(age: float, progress: int) -> float:
    """Return the age (seconds) at which a task will be done that is `progress` percent done at this one."""
    return age * 100 / progress * _LATE


def _bin(seconds: float) -> float:
    return math.log(min(LONGEST, max(SHORTEST, seconds))) / _BASE


def _parts(since: float, until: float) -> list[tuple[int, float]]:
    """Return the bins between two ages, each with the part of it that lies between them."""
    low, high = _bin(since), _bin(until)
    first, last = math.floor(low), math.ceil(high) - 1
    if first >= last:
        return [(first, high - low)] if first == last else []
    return [(first, first + 1 - low), *[(bin_, 1.0) for bin_ in range(first + 1, last)], (last, high - last)]

"""What goes wrong, decided by seed and order of requests alone, so that a failing run can be repeated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.simulator.options import SimulatorOptions

__all__ = ["Chance", "Faults", "Verdict"]


class Chance:
    """One stream of random numbers per question, so that one more fault does not shift all the others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, Random] = {}

    def stream(self, question: str) -> Random:
        """The generator that belongs to this question alone."""
        if question not in self._streams:
            self._streams[question] = Random(f"{self._seed}:{question}")
        return self._streams[question]

    def happens(self, question: str, rate: float) -> bool:
        """Whether it happens this time, with this probability."""
        return rate > 0 and self.stream(question).random() < rate

    def restart(self) -> None:
        """Begin all streams anew."""
        self._streams.clear()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of an acceptable submission."""

    error_before: bool = False
    fails: bool = False
    error_after: bool = False
    loses_answer: bool = False


class Faults:
    """Decides the fate of submissions, one after the other."""

    def __init__(self, options: SimulatorOptions, chance: Chance) -> None:
        self._options = options
        self._chance = chance
        self._seen = 0
        self._throttled: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def throttles(self, prompt: str) -> bool:
        """Whether this submission is one of the first that are told to come back later."""
        self._seen += 1
        if self._seen <= self._options.throttle_first:
            return True
        return _still_below(self._throttled, prompt, self._options.throttle_each)

    def verdict(self, prompt: str) -> Verdict:
        """The fate of a submission nobody has an objection to."""
        options, chance = self._options, self._chance
        marked = options.fail_containing is not None and options.fail_containing in prompt
        if chance.happens("error", options.error_rate):
            return Verdict(error_before=True)
        return Verdict(
            fails=chance.happens("fail", options.fail_rate) or marked,
            error_after=chance.happens("error after", options.error_after_rate),
            loses_answer=chance.happens("lost answer", options.lost_answer_rate),
        )

    def loses_answer(self, prompt: str) -> bool:
        """Whether this accepted submission is one of the first with its prompt, whose answers get lost."""
        return _still_below(self._lost, prompt, self._options.lose_answer_each)

    def restart(self) -> None:
        """Begin anew, as after a start."""
        self._seen = 0
        self._throttled.clear()
        self._lost.clear()
        self._chance.restart()


def _still_below(counter: Counter[str], prompt: str, limit: int) -> bool:
    if counter[prompt] >= limit:
        return False
    counter[prompt] += 1
    return True

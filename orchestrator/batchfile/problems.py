"""Where the problems of one batch are gathered, so that the user hears of all of them at once."""

from collections import Counter

from orchestrator.jobs.places import BadInput, Place, Problem, Severity
from orchestrator.jobs.secrets import Redactor

MOST_KEPT = 1000
"""Problems kept of each severity; the rest are only counted, so that a million bad rows do not fill the memory."""


_redact = Redactor()
"""Problems quote what they found, and that may be a key where none belongs."""


class Problems:
    """Gathers problems in the order they are found.

    What is said twice of the same place (a wrong default, an anchor used by many jobs) is kept once.
    """

    def __init__(self) -> None:
        self._kept: dict[Problem, None] = {}
        self._counts: Counter[Severity] = Counter()

    def add(self, message: str, place: Place | None = None, severity: Severity = Severity.ERROR) -> None:
        """Note one problem; `message` is a clause without a full stop, `place` says where in the file."""
        problem = Problem(message=_redact(message), place=place, severity=severity)
        if problem in self._kept:
            return
        self._counts[severity] += 1
        if self._counts[severity] <= MOST_KEPT:
            self._kept[problem] = None

    @property
    def list(self) -> list[Problem]:
        """The problems kept, in order; a last one says how many more there were."""
        kept = list(self._kept)
        kept.extend(
            Problem(message=f"and {count - MOST_KEPT} more of these", severity=severity)
            for severity, count in self._counts.items()
            if count > MOST_KEPT
        )
        return kept

    @property
    def errors(self) -> int:
        """How many problems forbid a run."""
        return self._counts[Severity.ERROR]

    def raise_if_any(self) -> None:
        """Raise `BadInput` with all problems, warnings too, when at least one of them forbids a run."""
        if self.errors:
            raise BadInput(self.list)

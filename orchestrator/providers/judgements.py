"""What an adapter says of a job or an answer beside the report: what is wrong, what it may cost, what it shows already."""

from dataclasses import dataclass, field
from decimal import Decimal

from orchestrator.jobs.places import FieldPath, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something in a job that its API would refuse, or that the user should know before paying."""

    path: FieldPath
    """Which field: ("size",), ("params", "quality"), ("references", 0), ..."""
    message: str
    """What was found and what would be right."""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a job may cost in USD; None where nobody knows."""

    likely: Decimal | None = None
    worst: Decimal | None = None

    def times(self, requests: int) -> "Estimate":
        """Return what so many requests of this kind may cost."""
        return Estimate(
            likely=None if self.likely is None else self.likely * requests,
            worst=None if self.worst is None else self.worst * requests,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """An unfinished image that a streamed answer showed on the way."""

    base64: str = field(repr=False)
    """Base64 text, or the spool's marker for it."""
    index: int
    """Which image of the job it belongs to, from 0."""
    number: int
    """Which preview of that image it is, from 0."""

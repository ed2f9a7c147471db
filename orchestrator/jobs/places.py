"""Where something stands in a file the user wrote, and what is wrong there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FieldPath = tuple[str | int, ...]
"""Path to a value inside one job, e.g. ("params", "quality") or ("references", 0)."""


class Severity(StrEnum):
    """Whether a batch may run with this."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and column (both from 1) of a file; column 0 where there is only a line, line 0 where there is only a file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return the form that editors and terminals understand: `jobs.yaml:12:11`."""
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.file, *numbers])


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong or doubtful in what the user wrote: what was found and what would be right."""

    message: str
    place: Place | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """Return one line for the user."""
        kind = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.place}: {kind}{self.message}" if self.place else f"{kind}{self.message}"


class BadInput(Exception):
    """Everything that is wrong with what the user wrote, all at once; nothing was stored or sent."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Places:
    """Where the fields of one job stand: the whole job, and each field that the file places more exactly."""

    job: Place
    fields: Mapping[FieldPath, Place] = field(default_factory=dict)

    def of(self, path: FieldPath) -> Place:
        """Return the place of a field, of the nearest thing around it, or of the job."""
        for length in range(len(path), 0, -1):
            found = self.fields.get(path[:length])
            if found is not None:
                return found
        return self.job


def errors(problems: list[Problem]) -> Iterator[Problem]:
    """Yield the problems that forbid a run."""
    return (problem for problem in problems if problem.severity is Severity.ERROR)

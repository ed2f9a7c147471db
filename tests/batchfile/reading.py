"""What a user sees of a batch file that was read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings

from orchestrator.batchfile import Header, Problems, Row, open_batch
from orchestrator.jobs.places import BadInput
from orchestrator.jobs.spec import JobDraft

steady = settings(derandomize=True, deadline=None, database=None)
"""Generated examples are the same in every run."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What came of one batch file."""

    header: Header | None
    rows: list[Row]
    lines: list[str]
    """The problems as the user sees them."""

    @property
    def draft(self) -> JobDraft:
        assert self.lines == []
        [row] = self.rows
        return row.draft

    @property
    def line(self) -> str:
        [line] = self.lines
        return line


Read = Callable[..., Reading]


def read_file(path: Path, encoding: str | None = None) -> Reading:
    problems = Problems()
    try:
        batch = open_batch(path, problems, encoding)
    except BadInput as error:
        return Reading(header=None, rows=[], lines=[str(problem) for problem in error.problems])
    rows = list(batch.rows())
    return Reading(header=batch.header, rows=rows, lines=[str(problem) for problem in problems.list])

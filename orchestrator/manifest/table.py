"""The manifest as CSV: flat, one row per image, safe to open in a spreadsheet."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TextIO

from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.spec import Json
from orchestrator.manifest.rows import ManifestCost, ManifestImage, ManifestJob
from orchestrator.manifest.shape import json_of, json_text

COLUMNS = (
    "batch", "key", "state", "account", "provider", "model", "prompt", "index", "file", "sha256", "bytes", "format", "width",
    "height", "cost_estimated", "cost_actual", "currency", "attempts", "remote_id", "error_code", "error_message", "created_at",
    "finished_at", "parents",
)  # fmt: skip
"""Before the columns `meta.NAME` (design.md section 7)."""

_TOLD_ABOVE = ManifestCost()
"""In the further rows of a job, so that the sum of a column is what was paid."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


class Table:
    """Writes rows to a text file opened with `newline=""`; `show` is done to each cell."""

    def __init__(self, file: TextIO, meta_names: Sequence[str], show: Callable[[str], str] = str) -> None:
        self._meta_names, self._show = tuple(meta_names), show
        self._writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        self._write([*COLUMNS, *(f"meta.{name}" for name in self._meta_names)])

    def add(self, job: ManifestJob) -> None:
        """Write one row for each image of the job, or one without an image; the first alone says what the job cost."""
        for number, image in enumerate(job.images or (None,)):
            cost = job.cost if number == 0 else _TOLD_ABOVE
            self._write(self._values(job, image, cost))

    def _write(self, values: Iterable[Json]) -> None:
        self._writer.writerow([self._show(_cell(value)) for value in values])

    def end(self) -> None:
        """Write what stands behind the last row: nothing."""

    def _values(self, job: ManifestJob, image: ManifestImage | None, cost: ManifestCost) -> Iterator[Json]:
        yield from (job.batch, job.key, job.state, job.account, job.provider, job.model, job.prompt)
        yield from _about(image)
        yield from (cost.estimated, cost.actual, cost.currency, len(job.attempts), _remote_id(job))
        yield from (job.error.code, job.error.message) if job.error else (None, None)
        yield from (text_of(job.created_at), None if job.finished_at is None else text_of(job.finished_at))
        yield [json_of(parent) for parent in job.parents] or None
        yield from (job.meta.get(name) for name in self._meta_names)


def _about(image: ManifestImage | None) -> Sequence[Json]:
    if image is None:
        return (None,) * 7
    return (image.index, image.file, image.sha256, image.bytes, image.format, image.width, image.height)


def _remote_id(job: ManifestJob) -> str | None:
    """Return the task id of the latest attempt that got one."""
    return next((attempt.remote_id for attempt in reversed(job.attempts) if attempt.remote_id is not None), None)


def _cell(value: Json) -> str:
    """Return a cell's text. A text that a spreadsheet would run as a formula gets a quote before it; numbers are none."""
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else str(value)
        case Decimal():
            return f"{value:f}"
        case _:
            return json_text(value)

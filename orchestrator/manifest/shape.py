"""A manifest row as JSON: times as RFC 3339 UTC, money as decimal text, unknown as null, URLs without their query."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, TextIO

from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.spec import Json
from orchestrator.manifest.rows import ManifestAttempt, ManifestCost, ManifestError, ManifestImage, ManifestJob, ManifestParent

_TIMES = frozenset({"source_expires_at", "downloaded_at", "started_at", "ended_at", "created_at", "finished_at"})
_SOURCES = frozenset({"references", "mask"})
_INVISIBLE = re.compile(r"[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""What steers a terminal or turns the writing direction. JSON has an escape for each, so nothing is lost by using it."""
_USER = re.compile(r"^(\w+://)[^/@]+@")
_NAMES = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (ManifestJob, ManifestParent, ManifestImage, ManifestAttempt, ManifestCost, ManifestError)
}


class Lines:
    """JSONL: one job a line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, job: ManifestJob) -> None:
        """Write one job."""
        self._file.write(json_text(json_of(job)) + "\n")

    def end(self) -> None:
        """Write what stands behind the last job: nothing."""


class Array:
    """JSON: one array, one job a line within it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._before = "[\n"

    def add(self, job: ManifestJob) -> None:
        """Write one job."""
        self._file.write(self._before + json_text(json_of(job)))
        self._before = ",\n"

    def end(self) -> None:
        """Close the array, which may be empty."""
        self._file.write("[]\n" if self._before == "[\n" else "\n]\n")


def json_of(record: ManifestJob | ManifestParent) -> dict[str, Json]:
    """Return a row, or a part of it, as the object that stands in JSON and JSONL."""
    return _object(record)


def json_text(value: Json) -> str:
    """Return compact JSON in which any script stays readable; raise `ValueError` for what JSON has no word for (NaN)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text if text.isascii() and "\x7f" not in text else _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _object(record: Any) -> dict[str, Json]:  # noqa: ANN401 - any of the records in `rows`
    return {name: _value(name, getattr(record, name)) for name in _NAMES[type(record)]}


def _value(name: str, value: Json) -> Json:
    if name in _TIMES:
        return None if value is None else text_of(value)
    if name in _SOURCES:
        return _without_query(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        return [_object(item) for item in value]
    return _object(value) if type(value) in _NAMES else value


def _without_query(value: Json) -> Json:
    """A signed URL is a secret for as long as it lives."""
    if isinstance(value, str) and value[:8].lower().startswith(("http://", "https://")):
        return _USER.sub(r"\1", value.partition("#")[0].partition("?")[0])
    if isinstance(value, Mapping):
        return {name: _without_query(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_query(item) for item in value]
    return value

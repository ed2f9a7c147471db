"""CSV: one row a job, one column a field."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.batchfile.checks import JOB_CHECKS
from orchestrator.batchfile.entry import Entry, LazyPlaces
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.text import LONGEST_LINE, open_text, report_undecodable
from orchestrator.batchfile.wording import hint, shown
from orchestrator.jobs.places import FieldPath, Place
from orchestrator.jobs.spec import Json

_GROUPS: Mapping[str, str] = {"param": "params", "var": "vars", "meta": "meta"}
"""`param.NAME` and its like: the column's prefix and the field it fills."""
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_JSON_INTEGER = re.compile(r"-?(0|[1-9]\d{0,99})")
_JSON_FLOAT = re.compile(r"-?(0|[1-9]\d{0,99})(\.\d{1,99})?([eE][+-]?\d{1,2})?")
_FLAGS: Mapping[str, bool] = {"true": True, "TRUE": True, "false": False, "FALSE": False}
"""Spreadsheets write the upper-case ones."""


def _whole(cell: str) -> Json:
    text = cell.strip()
    return int(text) if _INTEGER.fullmatch(text) else text


def _list(cell: str) -> Json:
    return [part.strip() for part in cell.split("|")]


def _typed(cell: str) -> Json:
    text = cell.strip()
    if text in _FLAGS:
        return _FLAGS[text]
    if _JSON_INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _JSON_FLOAT.fullmatch(text) else cell


_CONVERSIONS: Mapping[str, Callable[[str], Json]] = {
    "n": _whole,
    "priority": _whole,
    "fan_out": _typed,
    "references": _list,
    "params": _typed,
}
"""How the cells of a field are read where they are more than text."""
_PLAIN_COLUMNS = tuple(name for name in JOB_CHECKS if name not in {"params", "extra", "vars", "meta"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    path: FieldPath
    convert: Callable[[str], Json] | None


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """A CSV file whose header has been read and is right, or whose problems are noted."""

    path: Path
    encoding: str | None
    delimiter: str
    columns: tuple[_Column | None, ...]
    """None where the header has a problem."""
    problems: Problems

    def entries(self) -> Iterator[Entry | None]:
        """Yield the rows; None for one that cannot be read, its problem noted."""
        with open_text(self.path, self.encoding, newline="") as file:
            records = _Records(file, self.delimiter)
            try:
                records.read()
                yield from self._rows(records)
            except UnicodeDecodeError:
                report_undecodable(self.path, self.encoding, self.problems)

    def _rows(self, records: "_Records") -> Iterator[Entry | None]:
        positions = {column.path: number for number, column in enumerate(self.columns, 1) if column}
        for path in list(positions):
            positions.setdefault(path[:1], positions[path])
        has_variables = any(path[0] == "vars" for path in positions)
        while True:
            try:
                cells = records.read()
            except csv.Error as error:
                self.problems.add(_plain(error), Place(str(self.path), records.line))
                yield None
                continue
            if cells is None:
                return
            if not any(cells):
                continue
            yield self._entry(cells, records.line, positions, has_variables=has_variables)

    def _entry(self, cells: list[str], line: int, positions: Mapping[FieldPath, int], *, has_variables: bool) -> Entry | None:
        place = Place(str(self.path), line)
        if len(cells) != len(self.columns):
            advice = "quote cells that contain the delimiter or a line break"
            self.problems.add(f"this row has {len(cells)} cells, the header has {len(self.columns)}; {advice}", place)
            return None
        # With var columns braces are placeholders in every row: an empty cell must not send "{colour}" as it is.
        values: dict[str, Json] = {"vars": {}} if has_variables else {}
        for cell, column in zip(cells, self.columns, strict=True):
            if column is not None and cell and not cell.isspace():
                _put(values, column, cell)
        return Entry(values=values, place=place, fields=LazyPlaces(positions, partial(Place, str(self.path), line)))


def _put(values: dict[str, Json], column: _Column, cell: str) -> None:
    value = column.convert(cell) if column.convert else cell
    if len(column.path) == 1:
        values[str(column.path[0])] = value
    else:
        values.setdefault(str(column.path[0]), {})[column.path[1]] = value


class _Records:
    """The records of a CSV text, each with the line where it starts: quoted cells may hold line breaks."""

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
        self._reader = csv.reader(self._watched(lines), delimiter=delimiter, strict=True)
        self._has_nul = False
        self.line = 0

    def _watched(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            if "\x00" in line:
                self._has_nul = True  # raising here would end the generator and with it the file
            yield line

    def read(self) -> list[str] | None:
        """Return the next record, or None at the end; raises csv.Error, after which reading may go on."""
        self.line = self._reader.line_num + 1
        self._has_nul = False
        record = next(self._reader, None)
        if self._has_nul:
            raise csv.Error("NUL")
        return record


def _plain(error: csv.Error) -> str:
    text = str(error)
    if text == "NUL":
        return "this row has a NUL character; if the file is UTF-16, save it as UTF-8 or say --encoding utf-16"
    if "end of data" in text:
        return "the quoted cell that starts in this row is never closed; add the missing quote"
    if "field limit" in text:
        return "a cell of this row is longer than 4 MiB; is a closing quote missing?"
    return 'a quote inside a quoted cell must be doubled ("")'


def read_header(path: Path, encoding: str | None, problems: Problems) -> CsvFile:
    """Read the first row; raises BadInput where the rest cannot be read without it, and OSError."""
    delimiter, names = _first_record(path, encoding, problems)
    columns = tuple(_column(name, Place(str(path), 1, number), problems) for number, name in enumerate(names, 1))
    for name, times in Counter(names).items():
        if times > 1:
            problems.add(f"column {shown(name)} stands {times} times; keep one", Place(str(path), 1))
    if not any(column and column.path == ("prompt",) for column in columns):
        problems.add("there is no column `prompt`: the first line must name the columns", Place(str(path), 1))
        problems.raise_if_any()
    return CsvFile(path=path, encoding=encoding, delimiter=delimiter, columns=columns, problems=problems)


def _first_record(path: Path, encoding: str | None, problems: Problems) -> tuple[str, list[str]]:
    place = Place(str(path), 1)
    try:
        with open_text(path, encoding, newline="") as file:
            line = file.readline(LONGEST_LINE)
        delimiter = max(",;\t", key=line.count)
        names = _Records([line], delimiter).read() or []
    except UnicodeDecodeError:
        report_undecodable(path, encoding, problems)
    except csv.Error as error:
        problems.add(_plain(error), place)
    else:
        if names:
            return delimiter, [name.strip() for name in names]
        problems.add("the first line is empty; it must name the columns, e.g. id,prompt,size", place)
    problems.raise_if_any()
    raise AssertionError("a header that cannot be read is a problem")


def _column(name: str, place: Place, problems: Problems) -> _Column | None:
    if name in _PLAIN_COLUMNS:
        return _Column(path=(name,), convert=_CONVERSIONS.get(name))
    group, dot, rest = name.partition(".")
    if dot and rest and group in _GROUPS:
        field = _GROUPS[group]
        return _Column(path=(field, rest), convert=_CONVERSIONS.get(field))
    problems.add(_unknown(name, group if dot else "", rest), place)
    return None


def _unknown(name: str, group: str, rest: str) -> str:
    if not name:
        return "this column has no name"
    if group:
        inner = rest or "NAME"
        return f"unknown column {shown(name)}; write param.{inner}, var.{inner} or meta.{inner}"
    advice = hint(name, _PLAIN_COLUMNS) or f"; write param.{name}, var.{name} or meta.{name}"
    return f"unknown column {shown(name)}{advice}"

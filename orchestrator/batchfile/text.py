"""Batch files as text: which encoding, and where it breaks."""

import codecs
from pathlib import Path
from typing import TextIO

from orchestrator.batchfile.problems import Problems
from orchestrator.jobs.places import Place

LONGEST_LINE = 4 * 1024 * 1024
"""Characters: the longest line of JSONL and the longest cell of CSV. More is a damaged file, not a job."""
UNDECODABLE_ADVICE = "save it as UTF-8 or name its encoding, e.g. --encoding cp1252"
_CHUNK = 1 << 16
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def is_known_encoding(name: str) -> bool:
    """Say whether text can be read by that name."""
    try:
        "".encode(name)
    except LookupError:
        return False
    return True


def encoding_of(path: Path, wanted: str | None) -> str:
    """Return the encoding to read a file with: a byte order mark tells UTF-8 and UTF-16, else `wanted`, else UTF-8."""
    with path.open("rb") as file:
        start = file.read(4)
    marked = (name for mark, name in _MARKS if start.startswith(mark))
    return next(marked, None) or wanted or "utf-8"


def open_text(path: Path, wanted: str | None, newline: str | None = None) -> TextIO:
    """Open a batch file for reading; raises OSError."""
    return path.open(encoding=encoding_of(path, wanted), newline=newline)


def report_undecodable(path: Path, wanted: str | None, problems: Problems) -> None:
    """Note the line at which a file stops being text in its encoding, and what to do."""
    encoding = encoding_of(path, wanted)
    place = Place(str(path), _line_of_break(path, encoding))
    problems.add(f"this line is not {encoding.removesuffix('-sig').upper()}: {UNDECODABLE_ADVICE}", place)


def _line_of_break(path: Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            before = decoder.getstate()
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError:
                decoder.setstate(before)
                return line + _lines_before_break(decoder, chunk)
    return line


def _lines_before_break(decoder: codecs.IncrementalDecoder, chunk: bytes) -> int:
    """Count by single bytes: only the decoder knows how many of them a character has."""
    lines = 0
    try:
        for index in range(len(chunk)):
            lines += decoder.decode(chunk[index : index + 1]).count("\n")
    except UnicodeDecodeError:
        return lines
    return lines


def position_of(path: Path, encoding: str, offset: int) -> tuple[int, int]:
    """Return the line and column, both from 1, of a byte of the file."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    line, column = 1, 1
    with path.open("rb") as file:
        while chunk := file.read(min(_CHUNK, offset)):
            offset -= len(chunk)
            text = decoder.decode(chunk)
            line += text.count("\n")
            column = len(text) - text.rfind("\n") if "\n" in text else column + len(text)
    return line, column

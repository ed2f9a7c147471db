"""JSONL: one job object a line."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from orchestrator.batchfile.entry import Entry
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.text import LONGEST_LINE, open_text, report_undecodable
from orchestrator.batchfile.wording import shown
from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import Json

DEEPEST = 50
"""Brackets inside brackets. More is an attack on the parser, not a job."""
_OPENAI_BATCH = {"custom_id", "body"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def entries(path: Path, encoding: str | None, problems: Problems) -> Iterator[Entry | None]:
    """Yield the jobs; None for a line that cannot be read, its problem noted. Raises OSError."""
    with open_text(path, encoding) as file:
        lines = enumerate(iter(partial(file.readline, LONGEST_LINE + 1), ""), 1)
        try:
            yield from _entries(lines, str(path), problems)
        except UnicodeDecodeError:
            report_undecodable(path, encoding, problems)


def _entries(lines: Iterator[tuple[int, str]], file: str, problems: Problems) -> Iterator[Entry | None]:
    for number, line in lines:
        place = Place(file, number)
        if len(line) > LONGEST_LINE:
            problems.add("this line is longer than 4 MiB; JSONL wants one job object a line, and reading stops here", place)
            yield None
            return  # what follows would have wrong line numbers
        if line.isspace():
            continue
        try:
            values = _object(line)
        except json.JSONDecodeError as error:
            problems.add(_plain(error, line), Place(file, number, error.colno))
            yield None
        except (ValueError, RecursionError) as error:
            problems.add(_too_deep() if isinstance(error, RecursionError) else str(error), place)
            yield None
        else:
            if values.keys() >= _OPENAI_BATCH:
                problems.add(_OPENAI_ADVICE, place)
                yield None
                return  # every line of such a file would say the same
            yield Entry(values=values, place=place)


_OPENAI_ADVICE = (
    "OpenAI Batch lines (custom_id, method, url, body) are not supported yet; "
    'write each as {"id": ..., "prompt": ..., "model": ...}'
)


def _object(line: str) -> dict[str, Json]:
    """Return the object of one line; raises ValueError with a clause for the user, JSONDecodeError, RecursionError."""
    if line.count("{") + line.count("[") > DEEPEST and _depth(line) > DEEPEST:
        raise ValueError(_too_deep())
    value = _DECODER.decode(line)
    if not isinstance(value, dict):
        advice = ": a line is one job, not a list of them" if isinstance(value, list) else ""
        raise ValueError(f'a job must be an object like {{"prompt": "..."}}; got {shown(value)}{advice}')  # noqa: TRY004 -- wrong text, not a wrong call
    if _SURROGATE.search(line):
        _refuse_half_characters(value)
    return value


def _too_deep() -> str:
    return f"lists and objects lie more than {DEEPEST} deep in each other"


def _depth(line: str) -> int:
    depth = deepest = 0
    for part in _BRACKET.finditer(line):
        if part.group() in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif part.group() in "}]":
            depth -= 1
    return deepest


_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
"""Texts are matched whole, so that brackets inside them do not count."""


def _refuse_half_characters(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a \\ud... escape is half of a character; write both halves or the character itself") from None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        [(double, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(double)} stands twice in one object; keep one")
    return values


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a number that JSON can carry")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)


def _plain(error: json.JSONDecodeError, line: str) -> str:
    problem = error.msg[0].lower() + error.msg[1:]
    torn = "" if line.endswith("\n") else "the last line may be cut off: "
    return f"{torn}this is not valid JSON: {problem}"

"""What the YAML parser complains of, in plain words and with its place."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from yaml.reader import ReaderError

from orchestrator.batchfile.text import UNDECODABLE_ADVICE, position_of
from orchestrator.batchfile.yaml_events import Refused
from orchestrator.jobs.places import Place

_MEANINGS: Mapping[str, str] = {
    "found character that cannot start any token": (
        "no value can start here: indent with spaces, not tabs, and put text that starts with @, ` or % in quotes"
    ),
    "found a tab character that violates indentation": "indent with spaces, not tabs",
    "mapping values are not allowed in this context": (
        "a colon cannot stand here: put text that has `: ` in it in quotes, and check the indentation"
    ),
    "did not find expected key": (
        "this fits neither the line above nor its indentation; put text that starts with {, [ or a quote in quotes as a whole"
    ),
    "did not find expected '-' indicator": "a list goes on with `- ` in the column of its first `- `",
    "did not find expected ',' or ']'": "a list in [ ] needs a comma or ] here",
    "did not find expected ',' or '}'": "a mapping in { } needs a comma or } here",
    "found unexpected end of stream": "the file ends inside a quoted text; add the missing quote",
    "found unknown escape character": "this is no escape of YAML: write \\\\ for a backslash, or use single quotes",
    "found undefined tag handle": "a tag like this is not supported; put text that starts with ! in quotes",
}
"""The parser's words (libyaml's and PyYAML's own) and what they nearly always mean in a batch file."""


def plain(error: yaml.YAMLError) -> str:
    """Return an error of the parser as one clause."""
    if isinstance(error, Refused):
        return str(error.problem)
    if isinstance(error, ReaderError):
        return _unreadable(error)
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"this is not valid YAML: {' '.join(str(error).split())}"
    problem = error.problem or "it cannot be read"
    opened = ""
    if error.context_mark and error.problem_mark and error.context_mark.line != error.problem_mark.line:
        opened = f" (what is open here began in line {error.context_mark.line + 1})"
    return f"this is not valid YAML: {_MEANINGS.get(problem, problem)}{opened}"


def _unreadable(error: ReaderError) -> str:
    if "not allowed" in error.reason:
        return f"the character U+{_code(error):04X} is not allowed in YAML; take it out"
    return f"this is not UTF-8: {UNDECODABLE_ADVICE}"


def _code(error: ReaderError) -> int:
    # libyaml gives the number, PyYAML's own reader the character
    return ord(error.character) if isinstance(error.character, str) else int(error.character)


def place_of(error: yaml.YAMLError, path: Path, encoding: str | None) -> Place:
    """Return where the parser stopped; `encoding` is that of the bytes it read, None where it was given text."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark is not None:
        return Place(str(path), mark.line + 1, mark.column + 1)
    if isinstance(error, ReaderError) and encoding is not None:
        return Place(str(path), *position_of(path, encoding, error.position))
    return Place(str(path))

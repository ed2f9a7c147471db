"""How problems speak of what was found and of what was probably meant."""

import difflib
from collections.abc import Iterable

from orchestrator.jobs.spec import Json

_LONGEST_SHOWN = 60


def shown(value: Json) -> str:
    """Return a value as one short piece of a line: cut, with control and direction characters escaped."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return _cut(repr(value[: _LONGEST_SHOWN + 1]))
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def hint(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'prompt'?` for a name close to a known one, else nothing."""
    close = difflib.get_close_matches(name.strip().lower(), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""

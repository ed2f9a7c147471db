"""Placeholders in prompts: `{colour}` is filled, `{{` and `}}` are braces. Read only in jobs that have `vars`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """A prompt after filling, with everything that was wrong in it."""

    text: str = field(repr=False)
    used: frozenset[str]
    unknown: tuple[str, ...]
    """Placeholders without a value, in order."""
    stray: bool
    """Whether a single brace stands outside any placeholder."""


def fill(prompt: str, values: Mapping[str, str]) -> Filled:
    """Return the prompt with its placeholders filled; values are put in as they are, braces in them mean nothing."""
    names: list[str] = []
    strays: list[str] = []

    def put(match: re.Match[str]) -> str:
        part, name = match.group(), match.group(1)
        if name is not None:
            names.append(name)
            return values.get(name, part)
        if len(part) == 1:
            strays.append(part)
        return part[0]

    text = _PART.sub(put, prompt)
    unknown = tuple(dict.fromkeys(name for name in names if name not in values))
    return Filled(text=text, used=frozenset(names), unknown=unknown, stray=bool(strays))

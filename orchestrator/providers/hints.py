"""What somebody probably meant, and how values look in a message."""

import difflib
import json
from collections.abc import Iterable

from orchestrator.jobs.spec import Json

_LONGEST = 60


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like `word`, if any does."""
    by_folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.strip().lower(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(suggestion: str | None) -> str:
    """Return the end of a message that offers `suggestion`, empty without one."""
    return f" - did you mean {suggestion}?" if suggestion else ""


def said(value: Json) -> str:
    """Return a value as a user wrote it, cut to a length that fits a line."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

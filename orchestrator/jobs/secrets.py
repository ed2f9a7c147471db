"""A key that cannot be printed by accident, and a filter for text that may quote one."""

import re
from collections.abc import Iterable

_TELLTALE = re.compile(r"(sk-[A-Za-z0-9_\-]{8,}|(?i:bearer)\s+[A-Za-z0-9._\-]{8,})")
_SHORTEST = 6
"""Shorter values are not searched for: they would blot out ordinary words."""


class Secret:
    """An API key; only `reveal` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the one place that puts it on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class Redactor:
    """Takes known keys, key-like words and the queries of URLs out of text that comes from outside."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._values = sorted({s.reveal() for s in secrets if len(s.reveal()) >= _SHORTEST}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        for value in self._values:
            text = text.replace(value, "***")
        text = _TELLTALE.sub("***", text)
        return _QUERY.sub(r"\1?***", text)


_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+")


def looks_like_a_key(text: str) -> bool:
    """Say whether a text has the form of an API key or of a header with one."""
    return _TELLTALE.search(text) is not None


def without_query(url: str) -> str:
    """Return a URL cut at its query: signed URLs are as good as keys."""
    return url.split("?", 1)[0]

"""A key that cannot be printed by accident, a filter for text that may quote one, and how a key is told from other text."""

import re
from collections.abc import Callable, Iterable
from os.path import commonprefix
from urllib.parse import quote

from orchestrator.jobs.spec import Json

_FORMS = r"AIza[\w-]{35}|AKIA[A-Z0-9]{16}|r8_\w{37}|gh[pousr]_\w{36}"
_TELLTALE = re.compile(
    rf"(?<![A-Za-z0-9])(?:sk-[\w-]{{8,}}|{_FORMS}|(?:Bearer\s+|(?i:bearer)\s+(?=[\w.~+/-]*\d))[\w.~+/=-]{{8,}})", re.ASCII
)
"""What might be a key: enough to hide it in a message, and to refuse it in settings, where no prose stands."""
_CERTAIN = re.compile(
    rf"(?<![A-Za-z0-9])(?:sk-(?=[\w-]*\d)[\w-]{{16,}}|{_FORMS}|(?i:bearer)\s+(?=[\w.~+/-]*\d)[\w.~+/=-]{{16,}})", re.ASCII
)
"""What can hardly be anything else: enough to refuse it even in a prompt, where a desk-organizer or a flag bearer may stand."""
_NAMED = re.compile(r"""(?i)((?:authorization|api[-_]?key|x-api-token)["']?\s*[:=]\s*["']?)(?!bearer\b|\*)[^\s"',;}]+""")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+")
_TOKEN = re.compile(r"(/(?:hooks|references)/[\w-]+/)[\w-]{16,}")
"""The path on which an attempt is called back, or a reference fetched: who knows it may do so."""
_USER = re.compile(r"(\w://)[^\s/@\"'<>]+@")
_SHORTEST = 6
"""Shorter values are not searched for: they would blot out ordinary words."""
_HEAD = 8
"""Characters of a key that give it away: messages are cut, sometimes in the middle of a key."""
_HIDDEN = "***"


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

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written to files or sent to other processes")


class Redactor:
    """Takes known keys, key-like words, headers with keys, passwords and queries of URLs out of text from outside."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        plain = {secret.reveal() for secret in secrets if len(secret.reveal()) >= _SHORTEST}
        self._values = sorted(plain | {quote(value, safe="") for value in plain}, key=len, reverse=True)
        self._heads = tuple({value[:_HEAD] for value in self._values})

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        for head in self._heads:
            if head in text:
                text = self._without_values(text)
                break
        text = _TELLTALE.sub(_HIDDEN, _TOKEN.sub(rf"\1{_HIDDEN}", text) if "/" in text else text)
        if "://" in text:
            text = _USER.sub(rf"\1{_HIDDEN}@", _QUERY.sub(rf"\1?{_HIDDEN}", text))
        return _NAMED.sub(rf"\1{_HIDDEN}", text) if ":" in text or "=" in text else text

    def _without_values(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        for value in self._values:
            text = _without_beginning(text, value)
        return text


def _without_beginning(text: str, value: str) -> str:
    """Return `text` without any beginning of a value that is long enough to matter."""
    head = value[:_HEAD]
    start = text.find(head)
    while start >= 0:
        found = commonprefix([text[start : start + len(value)], value])  # noqa: RUF071 - of characters, not of paths
        text = text[:start] + _HIDDEN + text[start + len(found) :]
        start = text.find(head, start + len(_HIDDEN))
    return text


def redacted(value: Json, redact: Callable[[str], str]) -> Json:
    """Return a JSON value in which every text, names too, has gone through `redact`."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): redacted(item, redact) for name, item in value.items()}
    return [redacted(item, redact) for item in value] if isinstance(value, list) else value


def looks_like_a_key(text: str) -> bool:
    """Say whether a setting has the form of an API key or of a header with one."""
    return _TELLTALE.search(text) is not None


def holds_a_key(text: str) -> bool:
    """Say whether a text of any kind, such as a prompt, has an API key in it beyond doubt."""
    return _CERTAIN.search(text) is not None


def without_query(url: str) -> str:
    """Return a URL cut at its query: signed URLs are as good as keys."""
    return url.split("?", 1)[0]

"""What a provider says of its limits, in headers and in words (providers.md 1.8, 5.1, 5.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_REQUESTS = ("x-ratelimit-limit-requests", "x-ratelimit-limit")
_REMAINING = ("x-ratelimit-remaining-requests", "x-ratelimit-remaining")
_QUERIES = "async_query"
"""The category in which ToAPIs counts polls."""

_IMAGES_WORD = re.compile(r"images?\W+per\W+min|\bipm\b", re.IGNORECASE)
_REQUESTS_WORD = re.compile(r"requests?\W+per\W+min|\brpm\b", re.IGNORECASE)
_AT_ONCE_WORD = re.compile(r"concurren|in parallel|simultaneous|queue (?:is )?full", re.IGNORECASE)
_LIMIT = re.compile(r"\blimit:?\s+(\d{1,9})\b", re.IGNORECASE)
_LOOKED_AT = 1000


class Subject(StrEnum):
    """What there was too much of."""

    IMAGES = "images"
    REQUESTS = "requests"
    AT_ONCE = "at_once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """What an answer of "too many" is about, as far as it says so."""

    subject: Subject | None = None
    limit: int | None = None
    """Units per minute."""


def requests_per_minute(headers: Mapping[str, str]) -> int | None:
    """Return the announced limit of paid requests, or None; `headers` with lower-case names."""
    if headers.get("x-ratelimit-category") == _QUERIES:
        return None
    return next((limit for name in _REQUESTS if (limit := _whole(headers.get(name))) is not None), None)


def queries_per_minute(headers: Mapping[str, str]) -> int | None:
    """Return the announced limit of polls, or None; `headers` with lower-case names."""
    return _whole(headers.get("x-ratelimit-limit")) if headers.get("x-ratelimit-category") == _QUERIES else None


def complaint(message: str, headers: Mapping[str, str]) -> Complaint:
    """Return what a refusal is about: its words say it, else headers with requests left say that it is not requests."""
    message = message[:_LOOKED_AT]
    if _AT_ONCE_WORD.search(message):
        return Complaint(subject=Subject.AT_ONCE)
    found = _LIMIT.search(message)
    limit = int(found[1]) or None if found else None
    if _IMAGES_WORD.search(message):
        return Complaint(subject=Subject.IMAGES, limit=limit)
    if _REQUESTS_WORD.search(message):
        return Complaint(subject=Subject.REQUESTS, limit=limit)
    left = next((number for name in _REMAINING if (number := _number(headers.get(name))) is not None), None)
    if left is None:
        return Complaint()
    return Complaint(subject=Subject.REQUESTS if left == 0 else Subject.IMAGES)


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return number or None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004

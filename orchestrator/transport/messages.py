"""Requests and answers as data: adapters build and read them without knowing how they travel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Signal
from orchestrator.jobs.spec import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One field of a multipart form; with `filename` it is a file."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request to an account's API. The key is not in it: the transport adds it by the scheme that `auth` names."""

    method: str
    url: str
    json: bytes | None = field(default=None, repr=False)
    """A JSON body, encoded."""
    form: tuple[Part, ...] | None = None
    """A multipart body, its parts in this order."""
    boundary: str | None = None
    """What separates the parts, where the same request must be the same bytes whenever it is sent; None draws one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] = ("Authorization", "Bearer ")
    """Header name and what stands before the key in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole HTTP answer. Long strings of a spooled JSON body may stand on disk only: see `results.spool`."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes = field(repr=False)

    def json(self) -> Json:
        """Return the body as JSON, whatever its content type says; raise `Unreadable` when it is none."""
        try:
            return _JSON.decode(self.body.decode(json.detect_encoding(self.body), "surrogatepass"))
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"the answer is not JSON: {shown(self.body)}") from error

    def object(self) -> dict[str, Json]:
        """Return the body as a JSON object; raise `Unreadable` when it is anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise Unreadable(f"the answer is JSON, but no object: {shown(self.body)}")
        return value


class Unreadable(Exception):
    """An answer that is not what its API documents: perhaps paid for, so never thrown away."""


class Unsent(Exception):
    """The request never left, wholly: nothing can have been charged."""

    def __init__(self, signal: Signal, reason: str) -> None:
        super().__init__(reason)
        self.signal = signal


class Unanswered(Exception):
    """The request was handed over, and no whole answer came back."""

    def __init__(self, signal: Signal, reason: str) -> None:
        super().__init__(reason)
        self.signal = signal


class BodySink(Protocol):
    """Takes an answer as it arrives, so that a large body never lies in memory whole."""

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer; `headers` with lower-case names."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""

    async def finish(self) -> bytes:
        """Make the whole answer durable; return the body as `Answer.body` should have it."""


def shown(body: bytes) -> str:
    """Return the start of a body for an error message."""
    text = body[:200].decode("utf-8", "replace").strip()
    return repr(text) if text else "it is empty"


def joined(account: AccountSettings, path: str) -> str:
    """Return the URL of `path` (`/v1/...`) at an account's base URL; doubled slashes and a trailing `/v1` are tolerated."""
    base = account.base_url.rstrip("/").removesuffix("/v1").rstrip("/")
    return base + path


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: `json.loads` with an option makes a decoder for every answer."""

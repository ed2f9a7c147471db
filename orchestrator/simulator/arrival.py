"""A request with a body, taken apart: JSON or multipart form, with the exact bytes kept for the ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

__all__ = ["Arrival", "Part", "read_arrival"]

KEPT_HEADERS = ("Content-Type", "Idempotency-Key")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a form; a `filename` makes it a file."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    content_type: str | None = None

    @property
    def text(self) -> str:
        """The content of a text field."""
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What came in, before anybody judged it; `problem` says why the body could not be read."""

    path: str
    host: str
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    json: dict[str, Any] | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = field(default=(), repr=False)
    problem: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The named fields: JSON members, or a form's text fields."""
        return self.json if self.json is not None else {part.name: part.text for part in self.parts if not part.filename}

    @property
    def body(self) -> Any:  # noqa: ANN401 -- whatever JSON the client sent
        """The fields as the ledger keeps them: JSON as it is, text fields as (name, value) in their order."""
        if self.json is not None:
            return self.json
        return [(part.name, part.text) for part in self.parts if not part.filename]

    @property
    def files(self) -> list[Part]:
        """The files of a form, in their order."""
        return [part for part in self.parts if part.filename]

    @property
    def raw_text(self) -> str | None:
        """A JSON body's exact text; None for forms."""
        return None if self.parts else self.raw.decode("utf-8", "replace")

    @property
    def raw_sha256(self) -> str:
        """Digest of the exact body."""
        return hashlib.sha256(self.raw).hexdigest()


async def read_arrival(request: web.Request) -> Arrival:
    """The whole request in memory; a body that makes no sense is described, not raised."""
    raw = await request.read()
    kept = {name.lower(): request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    content: dict[str, Any] = {}
    try:
        if request.content_type == "multipart/form-data":
            content["parts"] = _split_form(raw, kept["content-type"])
        else:
            content["json"] = _read_object(raw)
    except ValueError as error:
        content["problem"] = str(error)
    return Arrival(path=request.path, host=request.host, headers=kept, raw=raw, **content)


def _read_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ValueError("The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ValueError("The body is not a JSON object.")  # noqa: TRY004 -- one family for every unreadable body
    return value


def _split_form(raw: bytes, content_type: str) -> tuple[Part, ...]:
    """The parts of a multipart body (RFC 2046 5.1.1), cut by hand so that binary content stays untouched."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise ValueError("The form has no boundary.")
    _, *pieces = (b"\r\n" + raw).split(b"\r\n--" + boundary.encode())
    if not pieces or not pieces[-1].startswith(b"--"):
        raise ValueError("The form is cut off.")
    return tuple(_read_part(piece) for piece in pieces[:-1])


def _read_part(piece: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head.lstrip().decode("utf-8", "replace"))
    name = headers.get_param("name", header="Content-Disposition")
    if not separator or not isinstance(name, str):
        raise ValueError("A part of the form has no name.")
    declared = headers.get_content_type() if "Content-Type" in headers else None
    return Part(name=name, content=content, filename=headers.get_filename(), content_type=declared)

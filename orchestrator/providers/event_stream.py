"""An answer that came as server-sent events: lines `event:` and `data:`, a blank line after each event, JSON as data.

Only what is whole counts: the last event of a connection that broke is left out unless its data is complete JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.jobs.spec import Json
from orchestrator.transport.messages import Answer, Unreadable

_BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BLANK = b" \t\r\n\xef\xbb\xbf"
"""White space and the byte order mark."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event whose data is a JSON object."""

    kind: str
    """The `type` in the data, else the name on the `event:` line."""
    data: dict[str, Json] = field(repr=False)


def is_stream(answer: Answer) -> bool:
    """Whether an answer is a stream, whatever was asked for: some relays answer a streaming request with plain JSON."""
    declared = "event-stream" in answer.headers.get("content-type", "").lower()
    begins = answer.body.lstrip(_BLANK).startswith(_BEGINNINGS)
    return begins or (declared and not answer.body.lstrip(_BLANK).startswith((b"{", b"[")))


def events(body: bytes) -> Iterator[Event]:
    """Yield the events of a stream; end markers such as `[DONE]`, comments and what is no JSON object are left out."""
    name, lines = "", list[bytes]()
    for line in [*body.lstrip(_BLANK).splitlines(), b""]:
        field_name, _, value = line.partition(b":")
        if not line:
            yield from _event(name, b"\n".join(lines))
            name, lines = "", []
        elif field_name == b"data":
            lines.append(value.removeprefix(b" "))
        elif field_name == b"event":
            name = value.strip().decode("utf-8", "replace")


def _event(name: str, data: bytes) -> Iterator[Event]:
    try:
        found = Answer(status=200, headers={}, body=data).object() if data else None
    except Unreadable:
        return
    if found is not None:
        kind = found.get("type")
        yield Event(kind=kind if isinstance(kind, str) and kind else name, data=found)

"""The outline of an answer: its JSON with every very long string replaced by a note of where it lies in the body.

An answer may hold megabytes of base64, an adapter needs only what stands around them. The scanner sees each byte once, as it
arrives; long runs are crossed by `bytes.find`, and never more than one short string is held back.
"""

from typing import Protocol

LONGEST_STRING = 8 << 10
"""Bytes between the quotes beyond which a string stays on disk only."""
MAX_OUTLINE = 16 << 20
"""Bytes of outline. What exceeds them is no answer of an image API; the outline then ends early and does not parse."""
MAX_PLAIN = 1 << 20
"""Bytes kept of a body that is no JSON."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""White space and the byte order mark."""
_MAX_BLANK = 4096


class _Reader(Protocol):
    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> bytes: ...


class Outline:
    """Chooses how to read a body: as JSON when it says so or begins so, else as it is, up to `MAX_PLAIN` bytes."""

    def __init__(self, nonce: str, *, declared_json: bool, longest: int = LONGEST_STRING) -> None:
        self._json = JsonOutline(nonce, longest=longest)
        self._reader: _Reader | None = self._json if declared_json else None
        self._start = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._reader is None:
            chunk = self._start = self._start + chunk
            self._reader = self._chosen(chunk)
        if self._reader is not None:
            self._reader.feed(chunk)

    def _chosen(self, start: bytes) -> _Reader | None:
        first = start.lstrip(_BLANK)[:1]
        if not first and len(start) < _MAX_BLANK:
            return None
        return self._json if first in (b"{", b"[") else PlainOutline()

    def finish(self) -> bytes:
        """Return the outline."""
        return self._reader.finish() if self._reader is not None else self._start


class PlainOutline:
    """The first `MAX_PLAIN` bytes of a body."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._kept += chunk[: MAX_PLAIN - len(self._kept)]

    def finish(self) -> bytes:
        """Return what was kept."""
        return bytes(self._kept)


class JsonOutline:
    """Copies JSON, but puts `spool:NONCE:OFFSET:LENGTH` for the content of each string longer than `longest` bytes.

    Offset and length count bytes of the body, between the quotes, escapes as written. Text that is no JSON comes out as no JSON.
    """

    def __init__(self, nonce: str, *, longest: int = LONGEST_STRING) -> None:
        self._nonce = nonce
        self._longest = longest
        self._outline = bytearray()
        self._position = 0
        self._string_start: int | None = None
        self._held = bytearray()
        self._escaped = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        at = 0
        while at < len(chunk):
            at = self._outside(chunk, at) if self._string_start is None else self._inside(chunk, at, self._string_start)
        self._position += len(chunk)

    def finish(self) -> bytes:
        """Return the outline; a string that never ended is left without its closing quote."""
        self._copy(self._held)
        return bytes(self._outline)

    def _outside(self, chunk: bytes, at: int) -> int:
        quote = chunk.find(b'"', at)
        end = len(chunk) if quote < 0 else quote + 1
        self._copy(chunk[at:end])
        if quote >= 0:
            self._string_start = self._position + end
        return end

    def _inside(self, chunk: bytes, at: int, start: int) -> int:
        quote = self._closing_quote(chunk, at)
        end = len(chunk) if quote < 0 else quote
        if len(self._held) <= self._longest:
            self._held += chunk[at : min(end, at + self._longest + 1)]
        if quote < 0:
            return end
        length = self._position + quote - start
        is_long = length > self._longest
        self._copy(b"spool:%b:%d:%d" % (self._nonce.encode(), start, length) if is_long else self._held)
        self._copy(b'"')
        self._held.clear()
        self._string_start = None
        return quote + 1

    def _closing_quote(self, chunk: bytes, at: int) -> int:
        """Return where the string ends, or -1 when this chunk does not end it."""
        if self._escaped:
            at += 1
            self._escaped = False
        quote = chunk.find(b'"', at)
        while True:
            escape = chunk.find(b"\\", at, quote if quote >= 0 else len(chunk))
            if escape < 0:
                return quote
            at = escape + 2
            if at > len(chunk):
                self._escaped = True
                return -1
            if 0 <= quote < at:  # the quote was the escaped one; otherwise it is still the next
                quote = chunk.find(b'"', at)

    def _copy(self, text: bytes | bytearray) -> None:
        self._outline += text[: MAX_OUTLINE - len(self._outline)]

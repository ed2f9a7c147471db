"""The outline of an answer: its body with every very long run of base64 replaced by a note of where it lies.

An answer may hold megabytes of base64, an adapter needs only what stands around them: the JSON, the events of a stream, or the
text of a chat with a data URL in its middle. The scanner sees each byte once, as it arrives, and holds one short run at most.
"""

import re

LONGEST_RUN = 8 << 10
"""Bytes of base64 beyond which a run stays on disk only."""
MAX_OUTLINE = 16 << 20
"""Bytes of outline. What exceeds them is no answer of an image API; the outline then ends early and does not parse."""

_WORD = rb"[A-Za-z0-9+/=_-]"
_OTHER = rb"[^\\A-Za-z0-9+/=_-]"
_RUN = re.compile(_WORD + rb"++")
_TEXT = re.compile(rb"(?:" + _OTHER + rb"++|" + _WORD + rb"{1,99}+(?=" + _OTHER + rb"))++")
"""Text with short words, each whole: what follows a word decides whether it may be part of a run."""
_ESCAPED_WORD = re.compile(rb"\\(?:/|u00(?:2[bBdDfF]|3[dD]))")
"""Base64 as servers write it that escape slash and plus in JSON."""
_LINE_BREAK = re.compile(rb"\\[nr]")
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)?", re.DOTALL)
_LONGEST_ESCAPE = 6
_WRAPPED_LINES = range(60, 77)
"""Characters of a line of base64 that is wrapped; a line break after any other number of them ends the run."""


class Outline:
    """Copies a body, but puts `spool:NONCE:OFFSET:LENGTH` for each run of base64 longer than `longest` bytes.

    Offset and length count bytes of the body, JSON escapes as written. A prefix such as `data:image/png;base64,` stays.
    """

    def __init__(self, nonce: str, *, longest: int = LONGEST_RUN) -> None:
        self._nonce = nonce
        self._longest = longest
        self._outline = bytearray()
        self._rest = b""
        self._position = 0
        self._run_start = 0
        self._run_length = 0
        self._line_length = 0
        self._held = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._rest += chunk
        if self._position == 0 and len(self._rest) <= self._longest:
            return  # nothing this short holds a long run
        self._scan(final=False)

    def so_far(self) -> bytes:
        """Return the outline of what has come so far; a run that has not ended is left out."""
        return bytes(self._outline) if self._position else self._rest

    def finish(self) -> bytes:
        """Return the outline."""
        self._scan(final=True)
        self._end_run()
        return bytes(self._outline)

    def _scan(self, *, final: bool) -> None:
        data, at = self._rest, 0
        while at < len(data):
            if data[at : at + 1] == b"\\":
                if len(data) - at < _LONGEST_ESCAPE and not final:
                    break
                at = self._escape(data, at)
            elif self._run_length == 0 and (text := _TEXT.match(data, at)):
                self._copy(data[at : text.end()])
                at = text.end()
            elif run := _RUN.match(data, at):
                at = self._extend(data, at, run.end(), line=self._line_length + run.end() - at)
            else:
                self._end_run()
        self._rest = data[at:]
        self._position += at

    def _escape(self, data: bytes, at: int) -> int:
        if word := _ESCAPED_WORD.match(data, at):
            return self._extend(data, at, word.end(), line=self._line_length + 1)
        wrapped = self._run_length and (self._line_length == 0 or self._line_length in _WRAPPED_LINES)
        if wrapped and (line_break := _LINE_BREAK.match(data, at)):
            return self._extend(data, at, line_break.end(), line=0)
        self._end_run()
        escape = _ESCAPE.match(data, at)
        end = escape.end() if escape else at + 1
        self._copy(data[at:end])
        return end

    def _extend(self, data: bytes, at: int, end: int, *, line: int) -> int:
        if self._run_length == 0:
            self._run_start = self._position + at
        if len(self._held) <= self._longest:
            self._held += data[at : min(end, at + self._longest + 1)]
        self._run_length += end - at
        self._line_length = line
        return end

    def _end_run(self) -> None:
        is_long = self._run_length > self._longest
        marker = b"spool:%b:%d:%d" % (self._nonce.encode(), self._run_start, self._run_length)
        self._copy(marker if is_long else self._held)
        self._held.clear()
        self._run_length = self._line_length = 0

    def _copy(self, text: bytes | bytearray) -> None:
        self._outline += text[: MAX_OUTLINE - len(self._outline)]

"""Standard output and error, written so that a reader who left cannot stop work that is paid for."""

import io
import os
import sys
from typing import TextIO, cast

from orchestrator.cli.redaction import redactor_of


class Lasting(io.TextIOBase):
    """A text stream that falls silent when nobody can read it any more.

    Events are told from within the engine. A closed pipe, a lost terminal or a full disk behind a redirected log must not
    break off requests in flight: the store and the manifest keep what could not be said.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Say whether a person watches."""
        return not self._is_gone and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream behind."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, or drop the text if the stream is lost."""
        if not self._is_gone:
            try:
                self._stream.write(text)
            except OSError:
                self._lose()
        return len(text)

    def flush(self) -> None:
        """Hand everything over, if there is still somebody."""
        if not self._is_gone:
            try:
                self._stream.flush()
            except OSError:
                self._lose()

    @property
    def _is_gone(self) -> bool:
        """Whether nobody reads any more, or the stream behind was closed, as the interpreter does when it ends."""
        return self._lost or self._stream.closed

    def _lose(self) -> None:
        self._lost = True
        let_go(self._stream)


def lasting(stream: TextIO) -> TextIO:
    """Return a stream that outlives its reader."""
    return cast("TextIO", Lasting(stream))


def let_go(stream: TextIO) -> None:
    """Point a stream that nobody reads at nothing, so that the interpreter does not stumble over it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def prepare() -> None:
    """Let standard output take any character, whatever the locale; standard error does so already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print one line for the user on standard error, without any key it may quote."""
    print(redactor_of()(line), file=sys.stderr, flush=True)


def is_screen(stream: TextIO) -> bool:
    """Say whether a stream can show a picture that changes."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")

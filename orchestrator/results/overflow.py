"""An answer to a free question: in memory while it is small, in the spool as soon as it is not.

Most questions for a task are answered with a word. The last answer may hold a whole image, and many of those may come at once.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from orchestrator.results.sink import AnswerSink
from orchestrator.results.spool import Spool

SMALL = 1 << 14
"""Bytes that are kept in memory."""


class Overflow:
    """Takes one answer as `AnswerSink` does; a large one replaces what the spool has of the attempt, once it is whole."""

    def __init__(self, spool: Spool, attempt_id: str) -> None:
        self._spool, self._attempt_id = spool, attempt_id
        self._status, self._headers = 0, dict[str, str]()
        self._start = bytearray()
        self._sink: AnswerSink | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._sink is not None:
            self._sink.close()

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer; `headers` with lower-case names."""
        self._status, self._headers = status, dict(headers)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raise `SpoolTooLarge` or `OSError` as `AnswerSink` does."""
        if self._sink is None:
            self._start += chunk
            if len(self._start) <= SMALL:
                return
            self._sink = self._spool.sink(self._attempt_id)
            self._sink.open(self._status, self._headers)
            chunk = bytes(self._start)
        self._sink.write(chunk)

    async def finish(self) -> bytes:
        """Return the body of a small answer, or make a large one durable and return its outline."""
        return bytes(self._start) if self._sink is None else await self._sink.finish()

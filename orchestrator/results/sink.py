"""One raw answer on its way to the disk: a partial while it comes, an answer once all of it is durable."""

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Self

from orchestrator.decoding import durable
from orchestrator.results.skeleton import Outline

MAX_ANSWER = 256 << 20
"""Bytes of one body (reliability.md d.2)."""

ATTEMPT = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Ids of attempts that may be parts of file names."""


def checked(attempt_id: str) -> str:
    """Return the id of an attempt; raise `ValueError` for what could lead out of the folder."""
    if not ATTEMPT.fullmatch(attempt_id):
        raise ValueError(f"{attempt_id!r} cannot be the id of an attempt")
    return attempt_id


def answer_name(attempt_id: str) -> str:
    """Return the name of an attempt's whole answer. Raises as `checked` does."""
    return f"{checked(attempt_id)}.answer"


def partial_name(attempt_id: str) -> str:
    """Return the name of what has come of an attempt's answer. Raises as `checked` does."""
    return f"{checked(attempt_id)}.partial"


def settle(folder: int, attempt_id: str) -> None:
    """Make what came of a broken answer its whole answer; blocks until it is durable."""
    with durable.read(partial_name(attempt_id), folder=folder) as file:
        durable.flush(file.fileno())
    _rename(folder, attempt_id)


class SpoolTooLarge(ValueError):
    """An answer beyond `MAX_ANSWER`; what came of it so far is kept as a partial."""


class AnswerSink:
    """Takes one answer: `open`, `write` per chunk, `finish`. Left early (`close`, or the end of `with`), it keeps a partial."""

    def __init__(self, attempt_id: str, folder: int, nonce: str) -> None:
        self._attempt_id = checked(attempt_id)
        self._folder = folder
        self._nonce = nonce
        self._file: BinaryIO | None = None
        self._size = 0
        self._outline: Outline
        self.disk_error: OSError | None = None
        """Why the answer could not be written, if it could not."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer, or begin it again; `headers` with lower-case names. Raises `OSError` when the disk refuses."""
        self.close()
        name = partial_name(self._attempt_id)
        head = {"status": status, "headers": dict(headers), "nonce": self._nonce}
        with self._noting():
            durable.remove(name, folder=self._folder)
            self._file = durable.create(name, folder=self._folder, mode=durable.PRIVATE)
            self._file.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        self._outline = Outline(self._nonce)
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body; raise `SpoolTooLarge` beyond 256 MiB, `OSError` when the disk refuses."""
        self._size += len(chunk)
        if self._size > MAX_ANSWER:
            raise SpoolTooLarge(f"the answer is larger than {MAX_ANSWER >> 20} MiB")
        with self._noting():
            self._opened().write(chunk)
        self._outline.feed(chunk)

    def so_far(self) -> bytes:
        """Return the outline of what has come so far, and hand it all to the system, so that other processes can read it."""
        with self._noting():
            self._opened().flush()
        return self._outline.so_far()

    async def finish(self) -> bytes:
        """Make the whole answer durable; return its body with a marker for each long run of base64.

        The disk is waited for in a thread whatever the size: a slow one would hold up every other job.
        """
        file, self._file = self._opened(), None  # the thread owns it now: a cancelled wait must not close it under its hands
        with self._noting():
            # failpoint P4
            await asyncio.to_thread(self._settle, file)
        # failpoint P5
        return self._outline.finish()

    def settle(self) -> None:
        """Make the whole answer durable; blocks."""
        file, self._file = self._opened(), None
        self._settle(file)

    def close(self) -> None:
        """Let go of the file; an answer that was not finished stays behind as a partial, as far as the disk took it."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # whoever wrote the bytes that do not fit has heard of it
                file.close()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Remember that it was the disk that failed: whoever reads from the network sees only an error among others."""
        try:
            yield
        except OSError as error:
            self.disk_error = error
            raise

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the answer was not begun, or is finished")
        return self._file

    def _settle(self, file: BinaryIO) -> None:
        with file:
            file.flush()
            durable.flush(file.fileno())
        _rename(self._folder, self._attempt_id)


def _rename(folder: int, attempt_id: str) -> None:
    os.replace(partial_name(attempt_id), answer_name(attempt_id), src_dir_fd=folder, dst_dir_fd=folder)
    durable.flush(folder)

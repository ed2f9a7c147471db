"""Raw answers on disk before anybody reads them: what was paid for survives a crash and a parser that does not understand it.

A file is one line of JSON (status, headers, nonce) and then the body as it came. The nonce is drawn for each answer and stands in
the markers that `skeleton` puts for long base64, so that no provider can write one that points elsewhere.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from orchestrator.decoding import durable
from orchestrator.jobs.reports import InlineBytes
from orchestrator.results.journal import Entry, Journal
from orchestrator.results.skeleton import Outline

MAX_ANSWER = 256 << 20
"""Bytes of one body (reliability.md d.2)."""

_ATTEMPT = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MARKER = re.compile(r"(spool:[0-9a-f]+:\d+:\d+)")
_CHUNK = 1 << 20


class SpoolTooLarge(ValueError):
    """An answer beyond `MAX_ANSWER`; what came of it so far is kept as a partial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledAnswer:
    """An answer read back: what an adapter would have been given when it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    """The outline of the body: long runs of base64 are markers."""


class Spool:
    """A private folder of raw answers, one per attempt: `ATTEMPT.answer` when whole, `ATTEMPT.partial` before."""

    def __init__(self, folder: Path, *, new_nonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder.absolute()
        self._new_nonce = new_nonce
        self._folder = durable.open_folder(self.path)
        os.fchmod(self._folder, 0o700)
        self._journal = Journal(self._folder)
        self._take_in()

    def _take_in(self) -> None:
        """Turn what a full disk left in the journal into answers like any other."""
        for entry in self._journal.entries():
            with self.sink(entry.attempt_id) as sink:
                sink.open(entry.status, entry.headers)
                sink.write(entry.body)
                sink.settle()
        self._journal.clear()

    def close(self) -> None:
        """Give the handles back; the spool cannot be used afterwards."""
        self._journal.close()
        os.close(self._folder)

    def sink(self, attempt_id: str) -> "AnswerSink":
        """Return what the answer of an attempt is written to; it replaces an earlier answer of the same attempt when finished."""
        _checked(attempt_id)
        return AnswerSink(attempt_id, self._folder, self._new_nonce())

    async def keep(self, attempt_id: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Make an answer that is already in memory durable, for example one whose commit failed.

        When the disk takes nothing more it goes into the journal, where a later start finds it. Raises `OSError` when even that
        is full.
        """
        try:
            with self.sink(attempt_id) as sink:
                sink.open(status, headers)
                sink.write(body)
                await sink.finish()
        except OSError:
            entry = Entry(attempt_id=attempt_id, status=status, headers=headers, body=body)
            await asyncio.to_thread(self._journal.write, entry)
            # failpoint P15

    async def read(self, attempt_id: str) -> SpooledAnswer:
        """Read a whole answer back, as after a restart; raise `FileNotFoundError` when there is none."""
        return await asyncio.to_thread(self._read, attempt_id)

    async def broken_off(self, attempt_id: str) -> SpooledAnswer | None:
        """Read what came of an answer whose connection broke; None where nothing readable did."""
        try:
            return await asyncio.to_thread(self._read, attempt_id, unfinished=True)
        except (FileNotFoundError, ValueError):
            return None

    async def settle(self, attempt_id: str) -> None:
        """Make what came of a broken answer its whole answer, durably."""
        await asyncio.to_thread(_settle, self._folder, attempt_id)

    def locate(self, attempt_id: str, text: str, *, unfinished: bool = False) -> list[str | InlineBytes]:
        """Return base64 text in its pieces: literal ones, and for markers of that very answer where they lie in its body.

        Text that came in several events of a stream may have several markers. `unfinished` looks in the answer that is just
        arriving. Raises `FileNotFoundError` for a marker whose answer is gone.
        """
        pieces = _MARKER.split(text)
        if len(pieces) == 1:
            return [text]
        with self._open(attempt_id, unfinished=unfinished) as file:
            nonce: str = json.loads(file.readline())["nonce"]
        return [_place(piece, nonce) for piece in pieces if piece]

    def has(self, attempt_id: str) -> bool:
        """Whether a whole answer of the attempt is here."""
        return self.path_of(attempt_id).is_file()

    def path_of(self, attempt_id: str, *, unfinished: bool = False) -> Path:
        """Return where the whole answer of the attempt lies, or would; with `unfinished` the one that is just arriving."""
        return self.path / (_partial if unfinished else _answer)(_checked(attempt_id))

    def discard(self, attempt_id: str) -> None:
        """Delete what is kept of an attempt: only when all its images are saved."""
        for name in (_answer(_checked(attempt_id)), _partial(attempt_id)):
            durable.remove(name, folder=self._folder)

    def set_aside(self, source: Path, attempt_id: str, index: int) -> Path:
        """Move a paid file that cannot be used out of the results; return where it lies now. Blocks until it is durable."""
        name = f"{_checked(attempt_id)}-{index}.unusable"
        durable.remove(name, folder=self._folder)
        with durable.read(source) as old, durable.create(name, folder=self._folder, mode=durable.PRIVATE) as new:
            shutil.copyfileobj(old, new)
            new.flush()
            durable.flush(new.fileno())
        durable.flush(self._folder)
        source.unlink()
        return self.path / name

    def attempts(self) -> Iterator[str]:
        """Yield the attempts with a whole answer, in order of their ids."""
        return self._named(".answer")

    def partials(self) -> Iterator[str]:
        """Yield the attempts whose answer broke off: evidence that there was one."""
        return self._named(".partial")

    def _named(self, ending: str) -> Iterator[str]:
        names = sorted(os.listdir(self._folder))  # noqa: PTH208 - by handle
        found = (name.removesuffix(ending) for name in names if name.endswith(ending))
        return (name for name in found if _ATTEMPT.fullmatch(name))

    def _open(self, attempt_id: str, *, unfinished: bool = False) -> BinaryIO:
        return durable.read(self.path_of(attempt_id, unfinished=unfinished).name, folder=self._folder)

    def _read(self, attempt_id: str, *, unfinished: bool = False) -> SpooledAnswer:
        with self._open(attempt_id, unfinished=unfinished) as file:
            head = json.loads(file.readline())
            outline = Outline(head["nonce"])
            while chunk := file.read(_CHUNK):
                outline.feed(chunk)
        return SpooledAnswer(status=head["status"], headers=head["headers"], body=outline.finish())


class AnswerSink:
    """Takes one answer: `open`, `write` per chunk, `finish`. Left early (`close`, or the end of `with`), it keeps a partial."""

    def __init__(self, attempt_id: str, folder: int, nonce: str) -> None:
        self._attempt_id = attempt_id
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
        name = _partial(self._attempt_id)
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


def _settle(folder: int, attempt_id: str) -> None:
    with durable.read(_partial(_checked(attempt_id)), folder=folder) as file:
        durable.flush(file.fileno())
    _rename(folder, attempt_id)


def _rename(folder: int, attempt_id: str) -> None:
    os.replace(_partial(attempt_id), _answer(attempt_id), src_dir_fd=folder, dst_dir_fd=folder)
    durable.flush(folder)


def _place(piece: str, nonce: str) -> str | InlineBytes:
    kind, _, rest = piece.partition(f"spool:{nonce}:")
    if kind or not rest:
        return piece
    offset, length = rest.split(":")
    return InlineBytes(offset=int(offset), length=int(length))


def _checked(attempt_id: str) -> str:
    if not _ATTEMPT.fullmatch(attempt_id):
        raise ValueError(f"{attempt_id!r} cannot be the id of an attempt")
    return attempt_id


def _answer(attempt_id: str) -> str:
    return f"{attempt_id}.answer"


def _partial(attempt_id: str) -> str:
    return f"{attempt_id}.partial"

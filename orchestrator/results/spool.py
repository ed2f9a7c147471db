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
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from orchestrator.decoding import durable
from orchestrator.jobs.reports import InlineBytes
from orchestrator.results.journal import Entry, Journal
from orchestrator.results.sink import ATTEMPT, AnswerSink, answer_name, checked, partial_name, settle
from orchestrator.results.skeleton import Outline

_MARKER = re.compile(r"(spool:[0-9a-f]+:\d+:\d+)")
_CHUNK = 1 << 20


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
        await asyncio.to_thread(settle, self._folder, attempt_id)

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
        return self.path / (partial_name if unfinished else answer_name)(attempt_id)

    def discard(self, attempt_id: str) -> None:
        """Delete what is kept of an attempt: only when all its images are saved."""
        for name in (answer_name(attempt_id), partial_name(attempt_id)):
            durable.remove(name, folder=self._folder)

    def set_aside(self, source: Path, attempt_id: str, index: int) -> Path:
        """Move a paid file that cannot be used out of the results; return where it lies now. Blocks until it is durable."""
        name = f"{checked(attempt_id)}-{index}.unusable"
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
        return (name for name in found if ATTEMPT.fullmatch(name))

    def _open(self, attempt_id: str, *, unfinished: bool = False) -> BinaryIO:
        return durable.read(self.path_of(attempt_id, unfinished=unfinished).name, folder=self._folder)

    def _read(self, attempt_id: str, *, unfinished: bool = False) -> SpooledAnswer:
        with self._open(attempt_id, unfinished=unfinished) as file:
            head = json.loads(file.readline())
            outline = Outline(head["nonce"])
            while chunk := file.read(_CHUNK):
                outline.feed(chunk)
        return SpooledAnswer(status=head["status"], headers=head["headers"], body=outline.finish())


def _place(piece: str, nonce: str) -> str | InlineBytes:
    kind, _, rest = piece.partition(f"spool:{nonce}:")
    if kind or not rest:
        return piece
    offset, length = rest.split(":")
    return InlineBytes(offset=int(offset), length=int(length))

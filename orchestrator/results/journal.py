"""The last place for an answer when the disk is full: space that was taken beforehand, enough for thousands of task ids.

One line of JSON per answer, written over zeros: nothing has to be allocated for it. A line that a crash cut short is skipped.
"""

import base64
import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.decoding import durable

SIZE = 4 << 20
"""Bytes (reliability.md a.3, P15)."""
NAME = "journal"


class JournalFull(OSError):
    """An answer that is larger than what is left of the journal, such as an image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One answer as it came."""

    attempt_id: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Journal:
    """A file of fixed size in the spool's folder. Raises `OSError` when its space cannot be had."""

    def __init__(self, folder: int, *, size: int = SIZE) -> None:
        self._size = size
        self._handle = _opened(folder, size)
        self._end = len(self._lines())

    def write(self, entry: Entry) -> None:
        """Make an answer durable. Blocks until it is on the disk; raises `JournalFull`."""
        line = b"\n" + json.dumps(_plain(entry), separators=(",", ":")).encode()  # the line before may have been cut short
        if self._end + len(line) > self._size:
            raise JournalFull(errno.ENOSPC, f"{len(line)} bytes do not fit into what is left of the journal")
        _write(self._handle, line, self._end)
        durable.flush(self._handle)
        self._end += len(line)

    def entries(self) -> Iterator[Entry]:
        """Yield what was written, oldest first."""
        for line in self._lines().splitlines():
            try:
                found = json.loads(line)
                body = base64.b64decode(found.pop("body"))
            except (ValueError, KeyError):  # cut short by a crash: its writer was never told that it is safe
                continue
            yield Entry(**found, body=body)

    def clear(self) -> None:
        """Forget everything: it is kept elsewhere now."""
        if self._end:
            _write(self._handle, b"\0" * self._end, 0)
            durable.flush(self._handle)
            self._end = 0

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)

    def _lines(self) -> bytes:
        return os.pread(self._handle, self._size, 0).rstrip(b"\0")


def _opened(folder: int, size: int) -> int:
    handle = os.open(NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, durable.PRIVATE, dir_fd=folder)
    try:
        missing = size - _size(handle)
        if missing > 0:  # zeros are written, since not every system can reserve space in another way
            _write(handle, b"\0" * missing, size - missing)
            durable.flush(handle)
    except OSError:
        os.close(handle)
        raise
    return handle


def _size(handle: int) -> int:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):  # a pipe would take a few bytes and then be waited for
        raise OSError(errno.EINVAL, "is no file", NAME)
    return found.st_size


def _write(handle: int, content: bytes, start: int) -> None:
    while content:
        written = os.pwrite(handle, content, start)
        content, start = content[written:], start + written


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "attempt_id": entry.attempt_id,
        "status": entry.status,
        "headers": dict(entry.headers),
        "body": base64.b64encode(entry.body).decode(),
    }

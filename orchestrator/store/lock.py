"""One engine per store, by a lock that the kernel frees at death: no clock is involved, and no stale lock can remain.

An engine that comes to its own end writes down how it leaves the store's file. Who finds it so may trust every page of it; after
a kill, a power cut, a copy or a hand in the file all of it has to be looked at, which takes seconds for a large store.
"""

import errno
import fcntl
import json
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class AlreadyRunning(Exception):
    """Another process is the engine of this store."""

    def __init__(self, holder: str, *, takes_batches: bool) -> None:
        super().__init__(f"the store is in use by {holder}; wait for it to end or stop it first")
        self.takes_batches = takes_batches
        """Whether it may be asked to work on another batch."""


class EngineLock:
    """Held for as long as the engine works, around the store itself; `with EngineLock(path) as lock: ...`."""

    def __init__(self, database: Path, *, takes_batches: bool = False) -> None:
        self._database, self._takes_batches = database, takes_batches
        self._path = _lock_of(database)
        self._descriptor: int | None = None
        self.found_as_left = False
        """Whether the store's file is as an engine left it that ended by itself; said once the lock is held."""

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no file", str(self._path))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _content(descriptor)
            os.close(descriptor)
            raise AlreadyRunning(_named(holder), takes_batches=holder.get("takes_batches", True)) from None
        left, found = _content(descriptor).get("left"), _fingerprint(self._database)
        self.found_as_left = left is not None and left == found
        _write(descriptor, {"pid": os.getpid(), "host": socket.gethostname(), "takes_batches": self._takes_batches})
        self._descriptor = descriptor
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._descriptor is None:
            return
        if error is None:
            _write(self._descriptor, {"left": _fingerprint(self._database)})
        os.close(self._descriptor)
        self._descriptor = None


def in_use(database: Path) -> bool:
    """Say whether an engine is at work on the store just now."""
    try:
        descriptor = os.open(_lock_of(database), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_of(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _fingerprint(database: Path) -> list[int] | None:
    """Return what changes with every write to a file; None while a log beside it has what it has not."""
    log = database.with_name(database.name + "-wal")
    if not database.exists() or (log.exists() and log.stat().st_size):
        return None
    found = database.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _write(descriptor: int, content: dict[str, Any]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(content).encode(), 0)


def _content(descriptor: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _named(found: dict[str, Any]) -> str:
    if "pid" not in found:
        return "another process that is just starting"  # it holds the lock and has not yet written who it is
    return f"process {found['pid']} on {found.get('host')}"

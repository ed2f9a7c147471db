"""A copy of the store before its schema changes: the way back for whoever needs the older program again."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_PRIVATE = 0o600


def copy_of(path: Path, schema: str) -> Path:
    """Return where the copy of a store with that schema lies, once it was migrated."""
    return path.with_name(f"{path.name}.schema-{schema}")


def keep_copy(path: Path, schema: str) -> None:
    """Copy the store beside itself, whole and on the disk or not at all; a copy of an earlier try is replaced.

    Nobody may write meanwhile. Raises `OSError` or `sqlite3.Error` when there is no room.
    """
    target = copy_of(path, schema)
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE))
    try:
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as store, closing(sqlite3.connect(part)) as copy:
            store.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        _flush(part)
        part.replace(target)
        _flush(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Manifests: rebuilt whole from the store each time, streamed, and either the old file or the new one, never half of it."""

import asyncio
import errno
import glob
import itertools
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from orchestrator.manifest.rows import ManifestJob
from orchestrator.manifest.shape import Array, Lines
from orchestrator.manifest.table import Table

STANDARD_OUTPUT = "-"
READER_COMES = 5.0
"""Seconds for which somebody is waited for who reads from a pipe."""
_AGAIN = 0.05
_numbers = itertools.count()
_at_work: set[Path] = set()
"""Drafts that this process writes; one of its number that is not among them is an earlier process's."""

Show = Callable[[str], str]
"""Makes text harmless on a terminal."""


class Form(StrEnum):
    """How a manifest is written."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"


async def export(
    rows: AsyncIterator[ManifestJob], meta_names: Sequence[str], form: Form, target: Path | str, *, show: Show = str
) -> int:
    """Write all rows in their order and return how many; `target` is a file or `-` for standard output.

    `meta_names` become CSV columns and matter to no other form; `show` is done to CSV that goes to a terminal, JSON needs no such
    thing. A file is replaced when the last row is on the disk; on an error, also one of `rows`, the old file stays and the error
    goes on. Raises `OSError` when the disk refuses, or nobody reads from a pipe.
    """
    if str(target) == STANDARD_OUTPUT:
        with _standard_output() as file:
            return await _write(rows, _writer(meta_names, form, file, show))
    path = Path(target)
    if await asyncio.to_thread(_is_special, path):  # a pipe or device is written to, not replaced
        with _text(await asyncio.to_thread(_special, path)) as file:
            return await _write(rows, _writer(meta_names, form, file, show))
    return await _replace(path, rows, meta_names, form)


async def write_manifest(rows: AsyncIterator[ManifestJob], path: Path) -> int:
    """Replace the manifest that lies among the results, as JSONL, and return its rows; raise `OSError` as `check_place` does."""
    await asyncio.to_thread(check_place, path)
    return await _replace(path, rows, (), Form.JSONL)


def check_place(path: Path) -> None:
    """Raise `OSError` when something bears the name of the manifest that is neither a file nor a link, which is replaced."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise OSError(errno.EINVAL, "the manifest goes there, and it is a folder, a pipe or a device; move it away", str(path))


async def _replace(path: Path, rows: AsyncIterator[ManifestJob], meta_names: Sequence[str], form: Form) -> int:
    await asyncio.to_thread(_sweep, path)
    draft = path.with_name(f".{path.name}.{next(_numbers)}.{os.getpid()}.part")
    _at_work.add(draft)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _text(os.open(draft, flags, 0o666)) as file:
            written = await _write(rows, _writer(meta_names, form, file, str))
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        # failpoint P12
        await asyncio.to_thread(_settle, draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        _at_work.discard(draft)
    return written


def _sweep(path: Path) -> None:
    """Delete the drafts of writers that died; others may be at work on the same manifest, in this process too."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        writer = draft.name.removesuffix(".part").rpartition(".")[2]
        is_left = draft not in _at_work if writer == str(os.getpid()) else not _is_alive(writer)
        if is_left:
            draft.unlink(missing_ok=True)


def _is_alive(writer: str) -> bool:
    try:
        os.kill(int(writer), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):  # no draft of ours, or another user's
        return True
    return True


def _settle(draft: Path, path: Path) -> None:
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _write(rows: AsyncIterator[ManifestJob], writer: Lines | Array | Table) -> int:
    written = 0
    async for row in rows:
        writer.add(row)
        written += 1
    writer.end()
    return written


def _writer(meta_names: Sequence[str], form: Form, file: TextIO, show: Show) -> Lines | Array | Table:
    match form:
        case Form.JSONL:
            return Lines(file)
        case Form.JSON:
            return Array(file)
        case Form.CSV:
            return Table(file, meta_names, show if file.isatty() else str)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _special(path: Path) -> int:
    """Open a pipe or device for writing. A pipe that nobody reads from would be waited for as long as that is so."""
    until = time.monotonic() + READER_COMES
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > until:
                raise OSError(errno.ENXIO, "nobody reads from this pipe", str(path)) from error
            time.sleep(_AGAIN)
        else:
            os.set_blocking(handle, True)
            return handle


def _text(handle: int) -> TextIO:
    return os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Yield standard output as UTF-8 whatever the locale, and leave it open."""
    sys.stdout.flush()
    with _text(os.dup(sys.stdout.fileno())) as file:
        yield file

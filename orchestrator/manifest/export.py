"""Manifests: rebuilt whole from the store each time, streamed, and either the old file or the new one, never half of it."""

import asyncio
import glob
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from orchestrator.manifest.rows import ManifestJob
from orchestrator.manifest.shape import Array, Lines
from orchestrator.manifest.table import Table

STANDARD_OUTPUT = "-"


class Form(StrEnum):
    """How a manifest is written."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"


async def export(rows: AsyncIterator[ManifestJob], meta_names: Sequence[str], form: Form, target: Path | str) -> int:
    """Write all rows in their order and return how many; `target` is a file or `-` for standard output.

    `meta_names` become CSV columns and matter to no other form. A file is replaced when the last row is on the disk; on an error,
    also one of `rows`, the old file stays and the error goes on. Raises `OSError` when the disk refuses.
    """
    if str(target) == STANDARD_OUTPUT:
        with _standard_output() as file:
            return await _write(rows, meta_names, form, file)
    path = Path(target)
    if await asyncio.to_thread(_is_special, path):  # a pipe or device is written to, not replaced
        with await asyncio.to_thread(_text, os.open(path, os.O_WRONLY | os.O_CLOEXEC)) as file:
            return await _write(rows, meta_names, form, file)
    return await _replace(path, rows, meta_names, form)


async def _replace(path: Path, rows: AsyncIterator[ManifestJob], meta_names: Sequence[str], form: Form) -> int:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    await asyncio.to_thread(_sweep, path)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _text(os.open(draft, flags, 0o666)) as file:
            written = await _write(rows, meta_names, form, file)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        # failpoint P12
        await asyncio.to_thread(_settle, draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return written


def _sweep(path: Path) -> None:
    """Delete the drafts of writers that died; another one may be at work on the same manifest."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        writer = draft.name.removesuffix(".part").rpartition(".")[2]
        if writer == str(os.getpid()) or not _is_alive(writer):
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


async def _write(rows: AsyncIterator[ManifestJob], meta_names: Sequence[str], form: Form, file: TextIO) -> int:
    writer = _writer(meta_names, form, file)
    written = 0
    async for row in rows:
        writer.add(row)
        written += 1
    writer.end()
    return written


def _writer(meta_names: Sequence[str], form: Form, file: TextIO) -> Lines | Array | Table:
    match form:
        case Form.JSONL:
            return Lines(file)
        case Form.JSON:
            return Array(file)
        case Form.CSV:
            return Table(file, meta_names)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _text(handle: int) -> TextIO:
    return os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Yield standard output as UTF-8 whatever the locale, and leave it open."""
    sys.stdout.flush()
    with _text(os.dup(sys.stdout.fileno())) as file:
        yield file

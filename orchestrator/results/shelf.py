"""The finished files of one batch, as an auditor looks at them: by folder handle, through no symbolic link, and nothing is made.

What a repair moves here keeps its bytes: a file that is in the way gets another name.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.decoding import durable
from orchestrator.results.files import OWNER_FILE, ForeignFolder
from orchestrator.results.names import safe_name

ASIDE = ".changed"
"""Ending of a file that was changed by hand and made room for the one that was paid for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a file holds."""

    sha256: str
    """Hex digest."""
    bytes: int


class NoFile(Exception):
    """There is no regular file of that name; the text says what there is instead."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class Shelf:
    """`OUT/BATCH`, open. Raises `FileNotFoundError` when it is not there, `ForeignFolder` when it is a link or no folder."""

    def __init__(self, out: Path, batch: str) -> None:
        self.batch = batch
        self.name = safe_name(batch)
        self.path = out.absolute() / self.name
        try:
            self._folder = durable.open_folder(self.path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ForeignFolder(f"{self.path} is a symbolic link or no folder") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._folder)

    def belongs_to(self, store_id: str) -> bool:
        """Say whether the folder says that it is this store's; raise `ForeignFolder` when it says that it is another's."""
        try:
            with durable.read(OWNER_FILE, folder=self._folder) as file:
                owner = json.load(file) if durable.is_regular(file) else {}
            found = (owner["store"], owner["batch"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if found != (store_id, self.batch):
            raise ForeignFolder(f"{self.path} belongs to the batch {found[1]!r} of the store {found[0]}")
        return True

    def names(self) -> Iterator[str]:
        """Yield the name of everything in the folder, in no order."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                yield entry.name

    def own_name(self, file: str) -> str | None:
        """Return the name in this folder of a file (relative to the output folder); None when it lies elsewhere."""
        folder, _, name = file.partition("/")
        return name if folder == self.name and name not in ("", ".", "..") and "/" not in name else None

    def content(self, name: str) -> Content:
        """Read a file whole; raise `NoFile`."""
        try:
            file = durable.read(name, folder=self._folder)
        except FileNotFoundError:
            raise NoFile("the file is gone", missing=True) from None
        except OSError as error:
            if os.path.islink(self.path / name):  # noqa: PTH114 - by the same name
                raise NoFile("a symbolic link stands in its place") from None
            raise NoFile(f"the file cannot be read: {error.strerror}") from error
        with file:
            if not durable.is_regular(file):
                raise NoFile("what stands in its place is no file")
            try:
                digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed wants readinto
            except OSError as error:
                raise NoFile(f"the file cannot be read: {error.strerror}") from error
            return Content(sha256=digest, bytes=file.tell())

    def put_aside(self, name: str) -> str:
        """Give what stands under a name another one, `NAME.changed` or `NAME.2.changed`, and return it. Blocks until durable."""
        suffixes = (f".{number}{ASIDE}" if number > 1 else ASIDE for number in count(1))
        aside = next(name + suffix for suffix in suffixes if not self.has(name + suffix))
        os.rename(name, aside, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        durable.flush(self._folder)
        return aside

    def rename(self, source: str, target: str, *, keep: bool) -> None:
        """Give a file its recorded name; with `keep` it bears both. Raises `FileExistsError` for a name that is taken."""
        if not durable.take_name(source, target, folder=self._folder):
            raise FileExistsError(target)
        if not keep:
            durable.remove(source, folder=self._folder)
        durable.flush(self._folder)

    def has(self, name: str) -> bool:
        """Say whether anything bears the name."""
        return os.path.lexists(self.path / name)

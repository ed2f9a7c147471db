"""The folder of one batch: who owns it, and the part files that downloads are written to."""

import errno
import json
import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path

from orchestrator.decoding import durable
from orchestrator.jobs.deadlines import text_of
from orchestrator.results.names import safe_name

OWNER_FILE = "batch.json"

_PART = re.compile(r"\.([A-Za-z0-9_-]{1,80})-\d+\.part")
_DRAFT = ".owner-0.part"
_NO_FOLDER = (errno.ELOOP, errno.ENOTDIR, errno.EEXIST)


class ForeignFolder(Exception):
    """A folder that belongs to another store or batch, or is none of ours at all."""


def part_name(attempt_id: str, index: int) -> str:
    """Return the name an image bears until it is whole: hidden, and telling whose it is."""
    name = f".{attempt_id}-{index}.part"
    if not _PART.fullmatch(name):
        raise ValueError(f"{attempt_id!r} cannot be the id of an attempt")
    return name


def free_bytes(path: Path) -> int:
    """Return the bytes a user may still write where `path` is, or will be once it exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


class OutputFolder:
    """`OUT/BATCH`, made when missing and held open: what is done in it goes by handle, so it cannot be led elsewhere.

    Raises `ForeignFolder` when `OUT/BATCH` is a symbolic link or no folder; OUT itself may be a link of the user's.
    """

    def __init__(self, out: Path, batch: str) -> None:
        self.out = out.absolute()
        self.batch = batch
        self.name = safe_name(batch)
        self.path = self.out / self.name
        self._folder = self._opened()

    def _opened(self) -> int:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(exist_ok=True)
            return durable.open_folder(self.path)
        except OSError as error:
            if error.errno in _NO_FOLDER:
                raise ForeignFolder(f"{self.path} is a symbolic link or no folder; choose another output folder") from None
            raise

    def close(self) -> None:
        """Give the folder handle back; the folder cannot be used afterwards."""
        os.close(self._folder)

    def claim(self, store_id: str, *, now: float) -> None:
        """Write down that this folder belongs to the store, or check that it does; `now` in Unix seconds.

        Raises `ForeignFolder` when another store, or another batch with a like name, was here first.
        """
        owner = {"batch": self.batch, "store": store_id, "created_at": text_of(now)}
        durable.remove(_DRAFT, folder=self._folder)
        with durable.create(_DRAFT, folder=self._folder, mode=durable.SHARED) as file:
            file.write(json.dumps(owner, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            durable.flush(file.fileno())
        durable.take_name(_DRAFT, OWNER_FILE, folder=self._folder)
        durable.remove(_DRAFT, folder=self._folder)
        durable.flush(self._folder)
        self._check_owner(store_id)

    def _check_owner(self, store_id: str) -> None:
        try:
            with durable.read(OWNER_FILE, folder=self._folder) as file:
                owner = json.load(file) if durable.is_regular(file) else {}
                found = (owner["store"], owner["batch"])
        except (ValueError, KeyError, TypeError, IsADirectoryError) as error:
            raise ForeignFolder(f"{self.path / OWNER_FILE} does not say which store owns the folder") from error
        if found[0] != store_id:
            raise ForeignFolder(f"{self.path} belongs to the store {found[0]}, not to this one, {store_id}")
        if found[1] != self.batch:
            raise ForeignFolder(f"{self.path} belongs to the batch {found[1]!r}, not to {self.batch!r}")

    def part(self, attempt_id: str, index: int) -> "Part":
        """Begin a part file for a download; an older one of the same image is replaced."""
        return Part(self, self._folder, attempt_id, index)

    def remove_stale(self, keep: Collection[str] = ()) -> list[str]:
        """Delete part files that a dead run left behind, but not those of the attempts in `keep`; return their names."""
        parts = ((name, _PART.fullmatch(name)) for name in sorted(os.listdir(self._folder)))  # noqa: PTH208 - by handle
        stale = [name for name, match in parts if match and match[1] not in keep]
        for name in stale:
            durable.remove(name, folder=self._folder)
        return stale


class Part:
    """An image on its way: `write` what comes, then `Results.save_part`, or `discard`."""

    def __init__(self, folder: OutputFolder, handle: int, attempt_id: str, index: int) -> None:
        self.folder = folder
        self.attempt_id = attempt_id
        self.index = index
        self.name = part_name(attempt_id, index)
        self.bytes = 0
        self._handle = handle
        durable.remove(self.name, folder=handle)
        self._file = durable.create(self.name, folder=handle, mode=durable.SHARED)

    @property
    def path(self) -> Path:
        """Where the part lies."""
        return self.folder.path / self.name

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raise `OSError` when the disk refuses."""
        self._file.write(chunk)
        self.bytes += len(chunk)

    def close(self) -> None:
        """Hand all bytes to the system. Closing twice does no harm."""
        self._file.close()

    def discard(self) -> None:
        """Close and delete the part."""
        try:
            self._file.close()
        finally:
            durable.remove(self.name, folder=self._handle)

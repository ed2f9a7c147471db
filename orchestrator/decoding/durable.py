"""Files that survive a power cut and cannot be redirected: every open goes by folder handle and follows no symbolic link."""

import errno
import fcntl
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
SHARED = 0o666
"""As far as the umask allows."""

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def open_folder(name: str | Path, *, inside: int | None = None) -> int:
    """Return a handle of a folder; raise `OSError` when its last name is a symbolic link or no folder."""
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=inside)


def create(name: str, *, folder: int, mode: int) -> BinaryIO:
    """Create `name` for writing; raise `FileExistsError` when anything bears that name already."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, mode, dir_fd=folder)
    return os.fdopen(handle, "wb", buffering=1 << 16)


def read(name: str | Path, *, folder: int | None = None) -> BinaryIO:
    """Open `name` for reading; raise `OSError` for a symbolic link. A pipe is opened without waiting for its other end."""
    return os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=folder), "rb")


def is_regular(file: BinaryIO) -> bool:
    """Say whether what was opened is a file that has an end, and no pipe, device or socket."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def remove(name: str, *, folder: int) -> None:
    """Unlink `name`; a name that is gone already is fine."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def flush(handle: int) -> None:
    """Return when the file or folder behind `handle` is on the disk itself."""
    if sys.platform == "darwin":  # there fsync stops at the drive's own cache
        try:
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        except OSError:  # not every file system knows it
            os.fsync(handle)
    else:
        os.fsync(handle)


def take_name(source: str, target: str, *, folder: int) -> bool:
    """Give the file `source` the name `target` as well; return False, and change nothing, when that name is taken.

    Where a file system has no hard links the file is renamed instead, and only a name that is free at that moment is safe.
    """
    try:
        os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        if _exists(target, folder):
            return False
        os.rename(source, target, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True

"""Small disks of our own, to be filled up and made read-only; they need the rights to mount."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDS_MOUNT = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small file system to fill up"
)
_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """A tmpfs."""

    path: Path

    def fill(self) -> None:
        """Leave not one block."""
        size = _BLOCK
        with (self.path / "ballast").open("ab", buffering=0) as ballast:
            while size:
                try:
                    ballast.write(b"\0" * size)
                except OSError:
                    size //= 2

    def relieve(self) -> None:
        """Give the space back."""
        (self.path / "ballast").unlink()

    def turn_read_only(self) -> None:
        """Refuse every write from now on; nothing may be open for writing."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)  # noqa: S607 - wherever it is

    def turn_writable(self) -> None:
        """Take writes again."""
        subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)  # noqa: S607


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """Mount an empty disk at a folder that is made for it; gone afterwards with all that is on it."""
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=False)  # noqa: S607
    if made.returncode:
        pytest.skip("this machine does not let even root mount a tmpfs")
    try:
        yield SmallDisk(path=path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)  # noqa: S607

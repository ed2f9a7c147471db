"""The copies of the user's images that are sent instead of them, named by content: made once, however many jobs use them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from orchestrator.jobs.spec import Json
from orchestrator.results.pool import DecodePool


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What an image is made to fit; None is left as it is. Sizes in bytes."""

    formats: tuple[str, ...] | None = None
    most_bytes: int | None = None
    to_alpha: bool = False
    """A mask's black becomes transparent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """An image as it will be sent."""

    name: str
    """File name in the folder of copies."""
    sha256: str
    size: int
    """Bytes."""
    format: str
    width: int
    height: int
    alpha: bool


class References:
    """The folder of copies, private to the user."""

    def __init__(self, folder: Path, pool: DecodePool) -> None:
        self.folder = folder
        self._pool = pool

    async def made(self, path: Path, sha256: str, target: Target) -> Copy | None:
        """Return the copy of the image at `path` whose content has this hash; None when it may go as it is.

        Raises `NotAnImage` when it cannot be made to fit, `UnsafeImage`, `OSError`.
        """
        wish = self._wish(sha256, target)
        return _copy(wish, await self._pool.run("treat_file", path=str(path), **wish))

    async def made_of(self, content: bytes, sha256: str, target: Target) -> Copy | None:
        """Do the same for an image that lies nowhere, such as one that a URL showed."""
        wish = self._wish(sha256, target)
        return _copy(wish, await self._pool.run("treat_bytes", content=content, **wish))

    def _wish(self, sha256: str, target: Target) -> dict[str, Json]:
        """Return what a worker is asked for."""
        wish = [target.formats, target.most_bytes, target.to_alpha]
        return {
            "folder": str(self.folder),
            "name": f"{sha256[:40]}-{hashlib.sha256(json.dumps(wish).encode()).hexdigest()[:8]}",
            "formats": list(target.formats) if target.formats is not None else None,
            "most_bytes": target.most_bytes,
            "to_alpha": target.to_alpha,
        }

    def read(self, name: str) -> bytes:
        """Return a copy's bytes; raise `OSError` when it is gone."""
        return (self.folder / name).read_bytes()


def _copy(wish: dict[str, Json], facts: dict[str, Json]) -> Copy | None:
    return Copy(name=wish["name"], **facts) if facts else None

"""From what a provider delivered to a file the user may trust: the front door of this package."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from orchestrator.decoding.facts import ImageFacts
from orchestrator.decoding.replies import Reply
from orchestrator.jobs.reports import InlineBytes
from orchestrator.jobs.spec import Json
from orchestrator.results.arrival import Arrival
from orchestrator.results.files import OutputFolder, part_name
from orchestrator.results.gathering import Gathering
from orchestrator.results.names import safe_name
from orchestrator.results.pool import DecodePool
from orchestrator.results.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedImage:
    """A whole image on disk: decoded to the last pixel, hashed, fsynced, under its final name."""

    file: str
    """`BATCH/KEY-0.png`, relative to the output folder."""
    sha256: str
    """Hex digest."""
    bytes: int
    format: str
    """png, jpeg, webp, gif or avif; read from the bytes, as the extension is."""
    width: int
    height: int
    """Pixels."""
    alpha: bool
    one_colour: float
    """Share of the pixels that have one colour; 0 when it is below 99.9 %."""


class Results:
    """Saves images below one output folder; every method may be called again after a crash with the same outcome."""

    def __init__(self, out: Path, spool: Spool, pool: DecodePool) -> None:
        self.out = out
        self._spool = spool
        self._pool = pool
        self._folders: dict[str, OutputFolder] = {}
        self._gatherings: dict[str, Gathering] = {}

    def folder(self, batch: str) -> OutputFolder:
        """Return the folder of a batch, opened once; raise `ForeignFolder` when it cannot be ours."""
        if batch not in self._folders:
            self._folders[batch] = OutputFolder(self.out, batch)
        return self._folders[batch]

    async def save_inline(self, folder: OutputFolder, base64: str, *, attempt_id: str, stem: str, index: int) -> SavedImage:
        """Save an image that came inside its answer; `base64` is the text, or the spool's marker for it.

        `stem` is `safe_name` of the job's key, or what the caller made of it to tell it from another. Raises `NotAnImage`,
        `UnsafeImage`, `OSError`, `WorkerUnavailable`; the answer stays in the spool whatever happens.
        """
        part = part_name(attempt_id, index)
        spool = str(self._spool.path_of(attempt_id))
        pieces = self._pieces(attempt_id, base64, unfinished=False)
        return await self._save("save_inline", folder, part, stem, index, spool=spool, pieces=pieces)

    async def save_preview(
        self, folder: OutputFolder, base64: str, *, attempt_id: str, stem: str, index: int, number: int
    ) -> SavedImage:
        """Save an unfinished image of an answer that is just arriving as `KEY-INDEX.partial-NUMBER.png`.

        Raises as `save_inline` does.
        """
        part, ending = part_name(f"{attempt_id}-{index}", number), f".partial-{number}"

        async def save(*, unfinished: bool) -> SavedImage:
            spool = str(self._spool.path_of(attempt_id, unfinished=unfinished))
            pieces = self._pieces(attempt_id, base64, unfinished=unfinished)
            return await self._save("save_inline", folder, part, stem, index, ending=ending, spool=spool, pieces=pieces)

        try:
            return await save(unfinished=True)
        except FileNotFoundError:  # the answer has become whole in the meantime, and got its final name
            return await save(unfinished=False)

    def _pieces(self, attempt_id: str, base64: str, *, unfinished: bool) -> list[Json]:
        located = self._spool.locate(attempt_id, base64, unfinished=unfinished)
        return [[piece.offset, piece.length] if isinstance(piece, InlineBytes) else piece for piece in located]

    async def save_arrival(self, arrival: Arrival, *, stem: str) -> SavedImage:
        """Save a download whose last byte has come. Raises as `save_inline` does, and then leaves the bytes where they are."""
        folder, index = arrival.folder, arrival.index
        if arrival.part is None:
            part, target = part_name(arrival.attempt_id, index), _target(stem, index)
            return _saved(folder, await self._gathering(folder).save(part, target, arrival.content))
        arrival.part.close()
        return await self._save("save_part", folder, arrival.part.name, stem, index)

    async def set_aside(self, arrival: Arrival) -> Path:
        """Keep a paid download that is no usable image, in the spool; return where it lies now."""
        part = arrival.spill()
        part.close()
        return await asyncio.to_thread(self._spool.set_aside, part.path, part.attempt_id, part.index)

    async def look(self, path: Path) -> ImageFacts:
        """Return what an image file is. Raises `NotAnImage`, `UnsafeImage`, `OSError`."""
        return await inspect(self._pool, path)

    async def look_at(self, content: bytes) -> ImageFacts:
        """Return what the bytes of an image are. Raises `NotAnImage`, `UnsafeImage`."""
        return ImageFacts(**await self._pool.run("inspect_bytes", content=content))

    async def close(self) -> None:
        """End the workers, give back all folders."""
        for gathering in self._gatherings.values():
            await gathering.close()
        self._gatherings.clear()
        await self._pool.close()
        for folder in self._folders.values():
            folder.close()
        self._folders.clear()
        self._spool.close()

    def _gathering(self, folder: OutputFolder) -> Gathering:
        if folder.name not in self._gatherings:
            self._gatherings[folder.name] = Gathering(folder, self._pool)
        return self._gatherings[folder.name]

    async def _save(
        self, task: str, folder: OutputFolder, part: str, stem: str, index: int, *, ending: str = "", **source: Json
    ) -> SavedImage:
        target = _target(stem, index) + ending
        reply = await self._pool.run(task, out=str(folder.out), batch=folder.name, part=part, target=target, **source)
        return _saved(folder, reply)


def _target(stem: str, index: int) -> str:
    if safe_name(stem) != stem:
        raise ValueError(f"{stem!r} is no safe file name")
    return f"{stem}-{index}"


def _saved(folder: OutputFolder, reply: Reply) -> SavedImage:
    return SavedImage(
        file=f"{folder.name}/{reply['name']}",
        sha256=reply["sha256"],
        bytes=reply["bytes"],
        format=reply["format"],
        width=reply["width"],
        height=reply["height"],
        alpha=reply["alpha"],
        one_colour=reply["one_colour"],
    )


async def inspect(pool: DecodePool, path: Path) -> ImageFacts:
    """Return what a reference or mask of the user's is. Raises `NotAnImage`, `UnsafeImage`, `OSError`."""
    return ImageFacts(**await pool.run("inspect_file", path=str(path)))

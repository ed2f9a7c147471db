"""Holds store and output folder against each other: books that balance, or findings by name.

It reads page by page and forgets, changes nothing, and may work beside a running engine: what that engine is just writing is no
finding. What it judges is the store, and the folder of each batch; whatever lies beside those folders is not ours.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from orchestrator.engine.auditing import audit
from orchestrator.engine.findings import Finding, ImageName, Kind
from orchestrator.jobs.attempts import ImageState
from orchestrator.results import safe_name
from orchestrator.results.files import OWNER_FILE
from orchestrator.results.shelf import ASIDE, Content, NoFile, Shelf
from orchestrator.store.books import Books
from orchestrator.store.reading import Batch
from orchestrator.store.store import Store
from orchestrator.store.stories import BEFORE_ALL, Story, place_of

_MANIFEST = "manifest."
"""The manifest of a run, and exports that were given such a name in the folder of their batch."""
_PREVIEW = re.compile(r"(.+)\.partial-\d+(?:\.\d+)?\.\w+")
"""`KEY-0.partial-1.png`, an unfinished image of a stream."""
_AT_ONCE = 500
"""Names of a folder that are looked at together."""

_JUST_BEING_WRITTEN = (Kind.PART_FILE, Kind.UNRECORDED_FILE)
"""No findings while an engine is at work."""

Row = Mapping[str, Any]
Saved = tuple[Story, Row]
"""A job and the row of one of its images that should have a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What goes on around an audit."""

    is_at_work: Callable[[], bool]
    """Says whether an engine runs just now."""
    progress: Callable[[int], None]
    """Hears now and then how many jobs were looked at."""


class Verifier:
    """Audits one batch; the figures count what it has looked at."""

    def __init__(self, store: Store, shelf: Shelf | None, batch: Batch, surroundings: Surroundings) -> None:
        """Audit `batch`, whose folder is open as `shelf` if there is one."""
        self._store_id, self._books, self._shelf, self._batch = store.id, store.books(), shelf, batch
        self._around = surroundings
        self._owned: set[bytes] = set()
        self.jobs = self.files = self.bytes = 0

    async def rows_and_files(self) -> AsyncIterator[Finding]:
        """Check every job with its rows, and every file that an image should have; raise `ForeignFolder` for another's folder."""
        if self._shelf is not None and not self._shelf.belongs_to(self._store_id):
            message = f"its {OWNER_FILE} does not say any more which store it belongs to; a run or a repair writes that"
            yield self._about(Kind.UNCLAIMED_FOLDER, message, file=f"{self._shelf.name}/{OWNER_FILE}")
        async for finding in self._tallied():
            yield finding
        after = BEFORE_ALL
        while page := await self._books.page(self._batch.id, after):
            for story in page:
                self._expect_previews(story)
                for finding in audit(story):
                    yield finding
            saved = [(story, image) for story in page for image in story.images if _has_file(image)]
            for finding in await self._checked(saved):
                yield finding
            self.jobs += len(page)
            self._around.progress(self.jobs)
            after = place_of(page[-1])

    async def folder(self) -> AsyncIterator[Finding]:
        """Check that everything in the folder belongs to the batch; call it after `rows_and_files`, which learns what does."""
        if self._shelf is None:
            return
        names = self._shelf.names()
        while chunk := await asyncio.to_thread(lambda: list(islice(names, _AT_ONCE))):
            for finding in await self._strangers([name for name in chunk if not self._is_known(name)]):
                yield finding

    async def _tallied(self) -> AsyncIterator[Finding]:
        tally = await self._books.tally(self._batch.id)
        if tally.jobs != tally.loaded or tally.holes:
            rows = f"; row {', '.join(str(hole + 1) for hole in tally.holes)} of it has none" if tally.holes else ""
            yield self._about(Kind.DELETED_ROW, f"the file had {tally.loaded} jobs, the store has {tally.jobs}{rows}")
        if tally.booked != tally.held:
            yield self._about(Kind.EDITED_ROW, f"${tally.booked:f} are booked, and the attempts add up to ${tally.held:f}")

    async def _checked(self, saved: Sequence[Saved]) -> list[Finding]:
        """Hash the files in threads, a few together in each."""
        for _, image in saved:
            self._owned.add(_digest(str(image["file"])))
        workers = os.cpu_count() or 1
        shares = [share for number in range(workers) if (share := saved[number::workers])]
        found = await asyncio.gather(*(asyncio.to_thread(self._compared, share) for share in shares))
        self.files += len(saved)
        self.bytes += sum(image["bytes"] for _, image in saved)
        return [finding for part in found for finding in part]

    def _compared(self, saved: Sequence[Saved]) -> list[Finding]:
        return [finding for story, image in saved for finding in self._compare(story, image)]

    def _compare(self, story: Story, image: Row) -> Iterator[Finding]:
        if self._shelf is None:
            yield _file(Kind.MISSING_FILE, story, image, f"the folder {safe_name(self._batch.name)} is gone")
            return
        name = self._shelf.own_name(image["file"])
        if name is None:
            yield _file(Kind.EDITED_ROW, story, image, f"its file should lie in the folder {self._shelf.name}")
            return
        try:
            content = self._shelf.content(name)
        except NoFile as error:
            yield _file(Kind.MISSING_FILE if error.missing else Kind.CHANGED_FILE, story, image, str(error))
        else:
            yield from _differences(story, image, content)

    def _expect_previews(self, story: Story) -> None:
        """Unfinished images of a stream are on no list; they belong to the job that asked for them, whatever became of it."""
        job = story.job
        if isinstance(job["spec"], dict) and job["spec"]["params"].get("partial_images"):
            folder, stem = safe_name(self._batch.name), safe_name(job["key"])
            self._owned.update(_digest(f"{folder}/{stem}-{index}") for index in range(job["n"]))

    def _is_known(self, name: str) -> bool:
        if name == OWNER_FILE or name.startswith(_MANIFEST) or self._is_owned(name):
            return True
        preview = _PREVIEW.fullmatch(name)
        if preview is not None:
            return self._is_owned(preview[1])
        original = name.removesuffix(ASIDE)
        stem, _, number = original.rpartition(".")
        return original != name and (self._is_owned(original) or (number.isdecimal() and self._is_owned(stem)))

    def _is_owned(self, name: str) -> bool:
        return _digest(f"{safe_name(self._batch.name)}/{name}") in self._owned

    async def _strangers(self, names: Sequence[str]) -> list[Finding]:
        """Judge names that were no image's a while ago: an engine may have saved some meanwhile, or be about to."""
        if not names:
            return []
        folder = safe_name(self._batch.name)
        recorded = await self._books.recorded([f"{folder}/{name}" for name in names])
        awaited = {f"{safe_name(key)}-{index}": key for key, index in await self._books.awaited(self._batch.id)}
        at_work = self._around.is_at_work()
        left = [name for name in sorted(names) if f"{folder}/{name}" not in recorded]
        found = [self._stranger(name, _expected(name, awaited)) for name in left]
        return [finding for finding in found if not (at_work and finding.kind in _JUST_BEING_WRITTEN)]

    def _stranger(self, name: str, key: str | None) -> Finding:
        file = f"{safe_name(self._batch.name)}/{name}"
        if name.startswith(".") and name.endswith(".part"):
            return self._about(Kind.PART_FILE, "left behind by a run that was interrupted; the next one sweeps it out", file=file)
        if key is not None:
            message = "a run was interrupted before it wrote this file down; `resume` does, and so does a repair"
            return self._about(Kind.UNRECORDED_FILE, message, file=file, key=key)
        return self._about(Kind.FOREIGN_FILE, "it belongs to no job of the batch; keep it somewhere else", file=file)

    def _about(self, kind: Kind, message: str, *, file: str | None = None, key: str | None = None) -> Finding:
        return Finding(kind=kind, message=message, batch=self._batch.name, key=key, file=file)


async def of_the_store(books: Books) -> AsyncIterator[Finding]:
    """Check the store's file, and that no row of it was deleted."""
    for line in await books.faults():
        yield Finding(kind=Kind.DAMAGED_STORE, message=f"SQLite says: {line}")
    for orphan in await books.orphans():
        message = f"row {orphan.row} of {orphan.table} names a row of {orphan.parent} that is not in the store"
        yield Finding(kind=Kind.DELETED_ROW, message=message)
    for gap in await books.gaps():
        numbers = ", ".join(map(str, gap.first))
        rows = "1 row is gone" if gap.missing == 1 else f"{gap.missing} rows are gone"
        yield Finding(kind=Kind.DELETED_ROW, message=f"{rows} from {gap.table}, such as number {numbers}")


def _differences(story: Story, image: Row, content: Content) -> Iterator[Finding]:
    if content.sha256 == image["sha256"] and content.bytes != image["bytes"]:
        yield _file(
            Kind.EDITED_ROW, story, image, f"its row says {image['bytes']} bytes, the file it was saved as has {content.bytes}"
        )
    elif content.bytes != image["bytes"]:
        yield _file(Kind.CHANGED_FILE, story, image, f"the file has {content.bytes} bytes, {image['bytes']} were saved")
    elif content.sha256 != image["sha256"]:
        digests = f"the file's SHA-256 begins {content.sha256[:8]}, its row says {image['sha256'][:8]}"
        yield _file(Kind.CHANGED_FILE, story, image, f"{digests}: one of them was changed")


def _has_file(image: Row) -> bool:
    """Say whether an image should be on disk; an extra one may still have to be fetched."""
    return image["state"] == ImageState.SAVED or (image["state"] == ImageState.EXTRA and image["file"] is not None)


def _file(kind: Kind, story: Story, image: Row, message: str) -> Finding:
    named = ImageName(job_id=story.job["id"], attempt_id=image["attempt_id"], index=image["index"])
    job = story.job
    return Finding(kind=kind, message=message, batch=job["batch"], key=job["key"], file=image["file"], image=named)


def _expected(name: str, awaited: Mapping[str, str]) -> str | None:
    """Return the key of the job that waits for an image of this name: `KEY-0.png`, or `KEY-0.2.png` where that was taken."""
    stem = name.rpartition(".")[0]
    first, _, number = stem.rpartition(".")
    return awaited.get(stem) or (awaited.get(first) if number.isdecimal() else None)


def _digest(file: str) -> bytes:
    """A set of these takes a fraction of the names' memory."""
    return blake2b(file.encode("utf-8", "surrogatepass"), digest_size=8).digest()

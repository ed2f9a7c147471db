"""The user's own images, for APIs that fetch them from here: found by token, as long as their job lasts, and checked again."""

import asyncio

from orchestrator.engine.own_images import InputChanged, identity, read
from orchestrator.jobs.lifecycle import FINAL
from orchestrator.jobs.spec import LocalImage
from orchestrator.jobs.tokens import Mint, is_same
from orchestrator.providers.base import FileInput
from orchestrator.results import References
from orchestrator.store.records import Job
from orchestrator.store.store import Store

_AT_ONCE = 4
"""Images that are read at a time: each is whole in memory."""


class Shelf:
    """Finds images; `references` has the copies that go instead of some."""

    def __init__(self, store: Store, mint: Mint, references: References) -> None:
        self._store, self._mint, self._references = store, mint, references
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def find(self, job_id: int, token: str) -> FileInput | None:
        """Return the image behind a token; None when there is none, its job is over, or the file is not what it was.

        Raises `OSError` where the system cannot read the file now.
        """
        if not self._mint.made(token):
            return None
        job = await self._store.find_job(job_id)
        image = self._image(job, token) if job is not None and job.state not in FINAL else None
        if image is None:
            return None
        async with self._free:
            try:
                return await asyncio.to_thread(read, image, self._references)
            except InputChanged:
                return None

    def _image(self, job: Job, token: str) -> LocalImage | None:
        images = [*job.spec.references, job.spec.mask]
        own = [image for image in images if isinstance(image, LocalImage)]
        return next((image for image in own if is_same(self._mint.reference(job.id, identity(image)), token)), None)

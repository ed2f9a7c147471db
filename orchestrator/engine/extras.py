"""Saves what an attempt brought after it was left behind: paid, so it is kept beside the winner, and never instead of it."""

import asyncio
from collections import deque
from dataclasses import replace

from orchestrator.engine.fetching import Fetcher, Fetching
from orchestrator.engine.tools import Tools
from orchestrator.jobs.retry import wait_after
from orchestrator.store.door import Stale
from orchestrator.store.records import Image, Job

_TRIES = 3
"""Times in one run; what does not come is asked for again by the next one."""
_GONE = frozenset({Fetching.EXPIRED, Fetching.UNUSABLE})


class Extras:
    """The service for late results."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._fetcher = Fetcher(tools)
        self._waiting: deque[tuple[Job, list[Image]]] = deque()
        self._busy = 0
        self._woken = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Say whether no late result waits."""
        return not self._waiting and not self._busy

    def add(self, job: Job, images: list[Image]) -> None:
        """Take the images of an attempt that was left behind."""
        self._waiting.append((job, images))
        self._woken.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Fetch until cancelled; each attempt's images are a task of `group`."""
        while True:
            while self._waiting:
                job, images = self._waiting.popleft()
                self._busy += 1
                group.create_task(self._serve(job, images), name=f"keep extra {job.key}")
            self._woken.clear()
            await self._woken.wait()

    async def _serve(self, job: Job, images: list[Image]) -> None:
        try:
            kept = [await self._keep(job, image) for image in images]
            if all(kept):
                self._tools.spool.discard(str(job.attempt_id))
        except Stale:
            self._tools.news.tell("old_news", job, status="late result")
        finally:
            self._busy -= 1
            self._tools.pulse.beat()

    async def _keep(self, job: Job, image: Image) -> bool:
        """Save one image; say whether it is on disk."""
        for tries in range(1, _TRIES + 1):
            outcome = await self._fetcher.fetch(job, image)
            if outcome.saved is not None:
                await self._tools.transitions.save_extra(job, image, outcome.saved)
                return True
            if outcome.verdict in _GONE:
                await self._tools.transitions.lose_extra(job, image, outcome.failure.message)
            if outcome.verdict is not Fetching.AGAIN:
                return False
            image = replace(image, tries=tries)
            await self._tools.clock.sleep(wait_after(tries, self._tools.random))
        return False

"""Brings home what is paid for and lies ready, and orders nothing: spooled answers go into their attempts, known results to disk.

What this leaves undone, such as tasks that still run, doubts to be looked up and links that died, `resume` goes on with.
"""

from collections.abc import AsyncIterator, Sequence

from orchestrator.engine.backlog import Backlog
from orchestrator.engine.brake import Crew
from orchestrator.engine.downloader import Downloader
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.paid_answers import read_spooled
from orchestrator.engine.tools import Tools
from orchestrator.jobs.lifecycle import State
from orchestrator.store.records import Image, Job

_CHUNK = 500
_IN_DOUBT = (State.SUBMITTING, State.UNCERTAIN)
_KNOWN = (State.READY, State.DOWNLOADING)


class Homecoming:
    """One sweep over some batches; no engine may be at work on them."""

    def __init__(self, tools: Tools, batches: Sequence[int]) -> None:
        self._tools, self._batches = tools, batches
        backlog = Backlog(tools.clock)
        self._inbox, self._downloader = Inbox(tools, backlog), Downloader(tools, backlog)
        self._inbox.follow = self._downloader.follow = _left_to_resume
        self._inbox.keep_extra = _left_too
        self._inbox.download = self._downloader.add

    async def run(self) -> None:
        """Return when nothing more can be had without asking a provider for a task; a disk that refuses ends it early."""
        async with Crew(self._tools.brake) as group:
            services = [
                group.create_task(self._tools.pulse.run(), name="pulse"),
                group.create_task(self._downloader.run(group), name="downloader"),
            ]
            try:
                async for job in self._left_behind():
                    await self._take_up(job)
                while not self._downloader.idle and self._tools.brake.reason is None:
                    await self._tools.pulse.next()
            finally:
                for service in services:
                    service.cancel()

    async def _left_behind(self) -> AsyncIterator[Job]:
        after = 0
        states = (*_IN_DOUBT, *_KNOWN)
        while chunk := await self._tools.store.in_state(*states, batches=self._batches, after=after, limit=_CHUNK):
            for job in chunk:
                yield job
            after = chunk[-1].id

    async def _take_up(self, job: Job) -> None:
        if job.state in _IN_DOUBT:
            await self._replay(job)
            return
        if job.state is State.DOWNLOADING:
            job = await self._tools.transitions.postpone_download(job, [], "its downloader died", next_at=None)
        self._downloader.add_stored(job)

    async def _replay(self, job: Job) -> None:
        found = await read_spooled(self._tools.spool, self._tools.provider(job), str(job.attempt_id))
        if found is not None:
            report, answer = found
            at = job.answered_at or self._tools.clock.now()
            await self._inbox.take(job, report, answer=answer, unfinished_at=at)


def _left_to_resume(job: Job) -> None:
    """A task that is known and not finished is asked for by the next run."""


def _left_too(job: Job, images: list[Image]) -> None:
    """Extra images of an attempt that was left behind are fetched by the next run."""

"""Fetches results before they die: earliest deadline first, and decides what becomes of a job when some of them do not come."""

import asyncio
import heapq
from collections.abc import Callable, Sequence

from orchestrator.engine.backlog import Backlog, Waiting
from orchestrator.engine.fetching import Fetcher, Fetching, Outcome
from orchestrator.engine.pulse import wait
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import ImageState
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.retry import wait_after
from orchestrator.store.door import Stale
from orchestrator.store.records import Delivery, Image, Job

_FOREVER = float("inf")


class Downloader:
    """The service for all results."""

    def __init__(self, tools: Tools, backlog: Backlog) -> None:
        self._tools, self._backlog = tools, backlog
        self._fetcher = Fetcher(tools)
        self._ready: list[tuple[float, int, Job, tuple[Image, ...] | None]] = []
        self._later: list[tuple[float, int, Job]] = []
        self._busy: set[int] = set()
        self._woken = asyncio.Event()
        self.follow: Callable[[Job], None] = _nobody

    @property
    def idle(self) -> bool:
        """Say whether no result waits."""
        return not self._ready and not self._later and not self._busy

    def add(self, job: Job, delivery: Delivery, *, first: bool) -> None:
        """Take the results of a job that was just delivered, for the `first` time or with fresh links."""
        images = tuple(
            Image(attempt_id=str(job.attempt_id), index=image.index, url=image.url, base64=image.base64, deadline=image.deadline)
            for image in delivery.images
        )
        self._push(job, images if first else None)

    def add_stored(self, job: Job) -> None:
        """Take a job whose results were known before this run."""
        self._backlog.add(
            job.id, Waiting(images=job.spec.n, since=job.known_at or self._tools.clock.now(), deadline=job.deadline)
        )
        self._push(job, None)

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Fetch until cancelled; each job's results are a task of `group`."""
        while True:
            self._promote()
            if self._ready and len(self._busy) < self._tools.at_once:
                _, _, job, images = heapq.heappop(self._ready)
                self._busy.add(job.id)
                group.create_task(self._serve(job, images), name=f"download {job.key}")
                continue
            self._woken.clear()
            due = self._later[0][0] - self._tools.clock.monotonic() if self._later else None
            await wait(self._woken, self._tools.clock, due)

    def _promote(self) -> None:
        while self._later and self._later[0][0] <= self._tools.clock.monotonic():
            _, _, job = heapq.heappop(self._later)
            self._push(job, None)

    def _push(self, job: Job, images: tuple[Image, ...] | None) -> None:
        heapq.heappush(self._ready, (job.deadline if job.deadline is not None else _FOREVER, job.id, job, images))
        self._woken.set()

    async def _serve(self, job: Job, images: Sequence[Image] | None) -> None:
        try:
            await self._fetch(job, images)
        except Stale:
            self._backlog.remove(job.id)
            self._tools.news.tell("old_news", job, status="downloaded")
        finally:
            self._busy.discard(job.id)
            self._woken.set()
            self._tools.pulse.beat()

    async def _fetch(self, job: Job, images: Sequence[Image] | None) -> None:
        if images is None:
            images = await self._tools.store.images(job)
        wanted = [image for image in images if image.state is ImageState.WANTED]
        # failpoint P8
        job = await self._tools.transitions.start_download(job)
        if len(wanted) == 1:  # the usual job: a task for it alone would only cost time
            outcomes = [await self._fetcher.fetch(job, wanted[0])]
        else:
            outcomes = await asyncio.gather(*(self._fetcher.fetch(job, image) for image in wanted))
        # failpoint P10
        await self._settle(job, len(images), outcomes)

    async def _settle(self, job: Job, images: int, outcomes: list[Outcome]) -> None:
        saved = [outcome for outcome in outcomes if outcome.saved is not None]
        unsaved = [outcome for outcome in outcomes if outcome.saved is None]
        halted = [outcome for outcome in unsaved if outcome.verdict is Fetching.HALTED]
        if halted:
            self._tools.brake.pull(f"results cannot be written: {halted[0].failure.message}")
            await self._postpone(job, [], saved, halted[0].failure.message, 1)
        elif held := [outcome for outcome in unsaved if outcome.verdict is Fetching.HELD]:
            await self._hold(job, saved, held[0].failure)
        elif any(outcome.verdict is Fetching.REFETCH for outcome in unsaved):
            await self._keep(job, saved)
            await self._ask_again(job, unsaved)
        elif any(outcome.verdict is Fetching.AGAIN for outcome in unsaved):
            again = [outcome for outcome in unsaved if outcome.verdict is Fetching.AGAIN]
            tries = max(outcome.image.tries for outcome in again) + 1
            await self._postpone(job, [outcome.image for outcome in again], saved, again[0].failure.message, tries)
        else:
            await self._finish(job, images, saved, unsaved)

    async def _keep(self, job: Job, saved: Sequence[Outcome]) -> None:
        for outcome in saved:
            if outcome.saved is not None:
                await self._tools.transitions.save(job, outcome.image, outcome.saved)

    async def _postpone(self, job: Job, images: list[Image], saved: Sequence[Outcome], why: str, tries: int) -> None:
        await self._keep(job, saved)
        delay = wait_after(tries, self._tools.random)
        next_at = self._tools.clock.now() + delay
        job = await self._tools.transitions.postpone_download(job, images, why, next_at=next_at)
        self._tools.news.tell("download_postponed", job, reason=why, wait=round(delay, 3))
        heapq.heappush(self._later, (self._tools.clock.monotonic() + delay, job.id, job))

    async def _hold(self, job: Job, saved: Sequence[Outcome], failure: Failure) -> None:
        """Leave a paid result for a run with better settings, and stop its account before more such results are paid for."""
        await self._keep(job, saved)
        job = await self._tools.transitions.hold_download(job, failure)
        self._backlog.remove(job.id)
        await self._tools.pause(self._tools.desk(job), failure)

    async def _ask_again(self, job: Job, unsaved: Sequence[Outcome]) -> None:
        why = unsaved[0].failure.message
        job = await self._tools.transitions.ask_again(job, [outcome.image for outcome in unsaved], why)
        self._backlog.remove(job.id)
        self._tools.news.tell("result_asked_again", job, reason=why)
        self.follow(job)

    async def _finish(self, job: Job, images: int, saved: Sequence[Outcome], lost: Sequence[Outcome]) -> None:
        if len(saved) + len(lost) > 1:
            await self._keep(job, saved)
            saved = []
        if len(lost) == images:
            await self._give_up(job, lost)
            return
        pairs = [(outcome.image, outcome.saved) for outcome in saved if outcome.saved is not None]
        missing = [(outcome.image, outcome.failure.message) for outcome in lost]
        job = await self._tools.transitions.finish(job, pairs, missing)
        # failpoint P11
        if not lost:
            self._tools.spool.discard(str(job.attempt_id))
        self._backlog.remove(job.id)
        if job.state is State.PENDING:
            self._tools.news.tell("part_saved", job, part=job.part, parts=job.spec.requests)
        else:
            self._tools.news.tell("job_succeeded", job, images=job.parts_saved + images - len(lost), partial=job.partial)

    async def _give_up(self, job: Job, lost: Sequence[Outcome]) -> None:
        failure: Failure = lost[0].failure
        images = [outcome.image for outcome in lost]
        if lost[0].verdict is Fetching.EXPIRED:
            job = await self._tools.transitions.lose(job, images, failure)
        else:
            job = await self._tools.transitions.give_up_download(job, images, failure)
        self._backlog.remove(job.id)
        self._tools.news.tell_failure(job, failure)


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody follows {job.key}")

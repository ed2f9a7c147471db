"""Joins the services, decides when a run is over, and ends it in order.

A batch is over when no job can move without the user. Draining stops what is new at once and lets what is paid for finish;
only a second word cuts that short, and what was in flight then is held.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.engine.backlog import Backlog
from orchestrator.engine.downloader import Downloader
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.poller import Poller
from orchestrator.engine.queue import Allowance, Queue, Scope
from orchestrator.engine.rescuer import Rescuer
from orchestrator.engine.submitter import Submitter
from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.results import free_bytes

TICK = 1.0
"""Seconds between looks at what other processes did, and at the disk."""


class Ending(StrEnum):
    """Why a run ended."""

    OVER = "over"
    PAUSED = "paused"
    """No account that has work may go on, or the disk is full."""
    DRAINED = "drained"
    ABORTED = "aborted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run ended; what became of its jobs stands in the store."""

    ending: Ending
    paused: dict[str, Failure]
    """Paused accounts and why."""
    halted: str | None = None
    """Why nothing more could be written."""


class Service(Protocol):
    """One small loop of the engine."""

    @property
    def idle(self) -> bool:
        """Say whether it has nothing to do, now or later."""

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Work until cancelled; what it begins are tasks of `group`."""


class Runtime:
    """One run over one scope."""

    def __init__(self, tools: Tools, scope: Scope) -> None:
        self._tools, self._scope = tools, scope
        backlog = Backlog(tools.clock)
        inbox = Inbox(tools, backlog)
        allowance = Allowance(scope.limit)
        self._queues = {name: Queue(tools, desk, scope, allowance) for name, desk in tools.desks.items()}
        self._submitters = [Submitter(tools, inbox, desk, self._queues[desk.name], backlog) for desk in tools.desks.values()]
        self._poller = Poller(tools, inbox)
        self._downloader = Downloader(tools, backlog)
        self._rescuer = Rescuer(tools, scope.batches, inbox, self._poller, self._downloader)
        self._draining = asyncio.Event()
        self._aborting = asyncio.Event()
        self._halted: str | None = None
        self._join(inbox)

    def _join(self, inbox: Inbox) -> None:
        inbox.follow = self._poller.follow
        inbox.download = self._downloader.add
        self._downloader.follow = self._poller.follow
        self._downloader.halt = self._halt
        for submitter in self._submitters:
            submitter.rescue = self._rescuer.look_after

    @property
    def waiting_for(self) -> int:
        """Paid requests in flight: what a second signal would put in doubt."""
        return sum(desk.limiter.in_flight for desk in self._tools.desks.values())

    def drain(self) -> None:
        """Start nothing new; finish what is paid for."""
        self._draining.set()
        self._tools.pulse.beat()

    def abort(self) -> None:
        """Stop at once; what is in flight is held."""
        self._aborting.set()
        self._draining.set()
        self._tools.pulse.beat()

    async def run(self) -> Outcome:
        """Work until the batches are over, every account with work is paused, or a signal came."""
        work = asyncio.create_task(self._work())
        aborted = asyncio.create_task(self._aborting.wait())
        await asyncio.wait({work, aborted}, return_when=asyncio.FIRST_COMPLETED)
        aborted.cancel()
        if not work.done():
            work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            if not self._aborting.is_set():
                raise
        return self._outcome()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._check_disk()
            services = [group.create_task(self._downloader.run(group), name="downloader")]
            await self._rescuer.start()
            services += [group.create_task(service.run(group), name=type(service).__name__) for service in self._after_rescue()]
            await self._until_the_end()
            for service in services:
                service.cancel()  # what they have begun are tasks of the group, and go on

    def _after_rescue(self) -> list[Service]:
        return [self._poller, self._rescuer, *self._submitters]

    async def _until_the_end(self) -> None:
        version = await self._tools.store.version_of_others()
        checked_at = self._tools.clock.monotonic()
        while not self._draining.is_set() and not await self._over():
            await self._tools.pulse.next(TICK)
            if self._tools.clock.monotonic() - checked_at >= TICK:
                checked_at = self._tools.clock.monotonic()
                version = await self._look_around(version)

    async def _look_around(self, version: int) -> int:
        self._check_disk()
        now = await self._tools.store.version_of_others()
        if now != version:
            for queue in self._queues.values():
                queue.wake()
        return now

    def _check_disk(self) -> None:
        for desk in self._tools.desks.values():
            if free_bytes(self._tools.out) < desk.settings.min_free:
                self._halt(f"less than {desk.settings.min_free // 2**20} MiB are free below {self._tools.out}")

    def _halt(self, why: str) -> None:
        if self._halted is None:
            self._halted = why
            self._tools.news.tell("halted", reason=why)
            for desk in self._tools.desks.values():
                desk.paused = desk.paused or Failure(code=ErrorCode.DOWNLOAD_FAILED, message=why)
        self._tools.pulse.beat()

    async def _over(self) -> bool:
        if self._halted is not None:
            return True
        return self._downloader.idle and all(service.idle for service in self._after_rescue())

    def _outcome(self) -> Outcome:
        paused = {desk.name: desk.paused for desk in self._tools.desks.values() if desk.paused is not None}
        if self._aborting.is_set():
            ending = Ending.ABORTED
        elif self._draining.is_set():
            ending = Ending.DRAINED
        else:
            ending = Ending.PAUSED if paused or self._halted else Ending.OVER
        return Outcome(ending=ending, paused=paused, halted=self._halted)

"""Joins the services, decides when a run is over, and ends it in order.

A batch is over when no job can move without the user. Draining stops what is new at once and lets what is paid for finish;
only a second word cuts that short, and what was in flight then is held.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.engine.backlog import Backlog
from orchestrator.engine.brake import Crew
from orchestrator.engine.callbacks import Callbacks
from orchestrator.engine.desk import Desk
from orchestrator.engine.downloader import Downloader
from orchestrator.engine.ending import Ending, Outcome
from orchestrator.engine.extras import Extras
from orchestrator.engine.guests import Guests
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.keeping import Keeper
from orchestrator.engine.ladder import Ladder
from orchestrator.engine.poller import Poller
from orchestrator.engine.queue import Allowance, Queue, Scope
from orchestrator.engine.rescuer import Rescuer
from orchestrator.engine.submitter import Submitter
from orchestrator.engine.tools import Tools
from orchestrator.results import free_bytes
from orchestrator.store.door import Unavailable
from orchestrator.store.records import Job

TICK = 1.0
"""Seconds between looks at what other processes did, and at the disk."""


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
        self.inbox = inbox = Inbox(tools, backlog)
        """Where news from outside is handed in."""
        allowance = Allowance(scope.limit)
        self._queues = {name: Queue(tools, desk, scope, allowance) for name, desk in tools.desks.items()}
        self._submitters = [Submitter(tools, inbox, desk, self._queues[desk.name], backlog) for desk in tools.desks.values()]
        self._poller = Poller(tools, inbox)
        self._downloader = Downloader(tools, backlog)
        self._extras = Extras(tools)
        self._ladder = Ladder(tools, inbox)
        self._rescuer = Rescuer(tools, scope.batches, inbox, self._ladder, self._poller, self._downloader)
        self._callbacks = Callbacks(tools, scope.batches, inbox)
        self._waiting_told = False
        self._keeper = Keeper(tools.store, tools.news, tools.clock, tools.desks.values())
        self._guests = Guests(tools, scope)
        self._draining = asyncio.Event()
        self._aborting = asyncio.Event()
        self._join(inbox)

    def _join(self, inbox: Inbox) -> None:
        inbox.follow = self._poller.follow
        inbox.download = self._downloader.add
        inbox.keep_extra = self._extras.add
        self._ladder.pay_again = self._pay_again
        self._downloader.follow = self._poller.follow
        self._callbacks.hurry = self._poller.hurry
        self._callbacks.arrived = self._poller.callbacks_arrive
        self._callbacks.adoption.settled = self._rescuer.settled
        self._tools.budget.freed = self._wake_queues
        self._tools.stirring.wake = self._wake_queues
        for submitter in self._submitters:
            submitter.rescue = self._rescuer.look_after

    def _pay_again(self, job: Job) -> None:
        self._queues[job.account].put_back(job)

    @property
    def waiting_for(self) -> int:
        """Paid requests in flight: what a second signal would put in doubt."""
        return sum(desk.limiter.in_flight for desk in self._tools.desks.values())

    @property
    def longest_wait(self) -> float:
        """Seconds for which the answers to those requests are waited for at most."""
        busy = [desk for desk in self._tools.desks.values() if desk.limiter.in_flight]
        return max((desk.longest_submission for desk in busy), default=0.0)

    @property
    def desks(self) -> Sequence[Desk]:
        """The accounts at work."""
        return list(self._tools.desks.values())

    def called(self) -> None:
        """Look into the calls that were received."""
        self._callbacks.wake()

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
        """Work until the batches are over, every account with work is paused, or a signal came.

        A cancellation from outside drains, a second one aborts; `CancelledError` goes on once all that is known is written down.
        """
        work = asyncio.create_task(self._work())
        aborted = asyncio.create_task(self._aborting.wait())
        cancelled = await self._outlasting(work, aborted)
        aborted.cancel()
        if not work.done():
            work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            if not self._aborting.is_set():
                raise
        if cancelled:
            raise asyncio.CancelledError
        return self._outcome()

    async def _outlasting(self, *ends: asyncio.Task[Any]) -> bool:
        """Wait for one of the ends, whoever cancels the waiting; say whether somebody did."""
        cancelled = False
        while True:
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                (self.abort if cancelled else self.drain)()
                cancelled = True
            else:
                return cancelled

    async def _work(self) -> None:
        async with Crew(self._tools.brake) as group:
            self._check_disk()
            services = [
                group.create_task(self._tools.pulse.run(), name="pulse"),
                group.create_task(self._downloader.run(group), name="downloader"),
            ]
            try:
                await self._guests.begin()
                await self._rescuer.start()
                services += [group.create_task(each.run(group), name=type(each).__name__) for each in self._after_rescue()]
                await self._until_the_end()
                await self._keeper.end()
                await self._recount()
            except (Unavailable, OSError) as error:
                self._tools.brake.pull_for(error)
            for service in services:
                service.cancel()  # what they have begun are tasks of the group, and go on

    def _after_rescue(self) -> list[Service]:
        return [self._poller, self._rescuer, self._callbacks, self._extras, *self._submitters]

    async def _until_the_end(self) -> None:
        version = await self._tools.store.version_of_others()
        checked_at = self._tools.clock.monotonic()
        while not self._draining.is_set() and not await self._over():
            await self._tools.pulse.next()
            if self._tools.clock.monotonic() - checked_at >= TICK:
                checked_at = self._tools.clock.monotonic()
                version = await self._look_around(version)

    async def _look_around(self, version: int) -> int:
        self._check_disk()
        await self._keeper.look()
        self._tools.budget.turn_day()
        await self._recount()
        now = await self._tools.store.version_of_others()
        if now != version:
            self._tools.budget.look_again()
            await self._unpause()
            await self._take_in()
            await self._rescuer.look_around()
            self._callbacks.wake()
            self._wake_queues()
        return now

    async def _take_in(self) -> None:
        """Work on what another process has stored and asked for."""
        before = set(self._scope.batches)
        if taken := await self._guests.look():
            await self._rescuer.join([batch for batch in taken if batch not in before])
            batches, store = self._scope.batches, self._tools.store
            self._tools.stirring.grow(await store.counts(batches), await store.left(batches))

    async def _unpause(self) -> None:
        """Let accounts go on whose pause another process has lifted, since the user said so there."""
        desks = [desk for desk in self._tools.desks.values() if desk.paused is not None]
        if not desks or self._tools.brake.reason is not None:
            return
        rows = await self._tools.store.accounts()
        for desk in desks:
            if rows[desk.name].paused_at is None:
                desk.paused = None
                desk.limiter.probe()
                self._tools.news.tell("account_resumed", account=desk.name)

    async def _recount(self) -> None:
        if self._tools.stirring.has_families:
            self._tools.stirring.recount(await self._tools.store.counts(self._scope.batches))

    def _wake_queues(self) -> None:
        for queue in self._queues.values():
            queue.wake()

    def _check_disk(self) -> None:
        least = max((desk.settings.min_free for desk in self._tools.desks.values()), default=0)
        for folder in (self._tools.out, self._tools.store.path.absolute().parent):
            if free_bytes(folder) < least:
                self._tools.brake.pull(f"less than {least // 2**20} MiB are free below {folder}")

    async def _over(self) -> bool:
        if self._tools.brake.reason is not None:
            return True
        busy = [service for service in (self._downloader, *self._after_rescue()) if not service.idle]
        if busy == [self._rescuer]:
            self._tell_of_waiting()
        return not busy

    def _tell_of_waiting(self) -> None:
        """Say once why a run that seems to have nothing to do goes on."""
        waits = self._rescuer.awaited
        if waits and not self._waiting_told:
            self._waiting_told = True
            self._tools.news.tell("awaiting_calls", jobs=len(waits), seconds=round(max(waits)))

    def _outcome(self) -> Outcome:
        paused = {desk.name: desk.paused for desk in self._tools.desks.values() if desk.paused is not None}
        shortages = self._tools.budget.shortages
        if self._aborting.is_set():
            ending = Ending.ABORTED
        elif self._draining.is_set():
            ending = Ending.DRAINED
        else:
            ending = Ending.PAUSED if paused or shortages or self._tools.brake.reason else Ending.OVER
        return Outcome(
            ending=ending,
            paused=paused,
            halted=self._tools.brake.reason,
            shortages=shortages,
            damaged=self._tools.brake.damaged,
        )

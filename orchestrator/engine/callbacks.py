"""Looks into calls, wherever they were received: each says no more than that a task may have ended, and the provider is asked."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator.engine.adoption import Adoption, Later
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import AttemptState
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.retry import wait_after
from orchestrator.store.callbacks import Call
from orchestrator.store.records import Job

_TRIES = 5
"""Times a provider is asked; what it has not shown by then is asked of it at the next start."""
_CHUNK = 500
_WITHOUT_TASK = frozenset({AttemptState.OPEN, AttemptState.UNCERTAIN, AttemptState.ABANDONED})


class Callbacks:
    """The service for calls. `hurry` asks for a task now, `arrived` hears of the account of every call."""

    def __init__(self, tools: Tools, batches: Sequence[int], inbox: Inbox) -> None:
        self._tools, self._batches = tools, batches
        self.adoption = Adoption(tools, inbox)
        self.hurry: Callable[[Job], None] = _nobody
        self.arrived: Callable[[str], None] = _nowhere
        self._taken: set[str] = set()
        self._busy = 0
        self._loaded = False
        self._free = asyncio.Semaphore(tools.at_once)
        self._woken = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Say whether every call is looked into."""
        return self._loaded and not self._busy and not self._woken.is_set()

    def wake(self) -> None:
        """Look for calls: somebody may have received one, in this process or another."""
        self._woken.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Look into calls until cancelled; each is a task of `group`."""
        await self._tools.store.callbacks.forget()
        while True:
            self._woken.clear()
            calls = await self._tools.store.callbacks.waiting(self._batches, limit=_CHUNK)
            for call in calls:
                if call.digest not in self._taken:
                    await self._begin(call, group)
            self._loaded = True
            self._tools.pulse.beat()
            await self._woken.wait()

    async def _begin(self, call: Call, group: asyncio.TaskGroup) -> None:
        self._taken.add(call.digest)
        self._busy += 1
        await self._free.acquire()
        group.create_task(self._serve(call), name=f"callback {call.attempt_id}")

    async def _serve(self, call: Call) -> None:
        try:
            if await self._look_into(call):
                await self._tools.store.callbacks.handled(call)
                self._taken.discard(call.digest)
        finally:
            self._free.release()
            self._busy -= 1
            if self._busy == 0:
                self._woken.set()  # there may be more than one look brought
            self._tools.pulse.beat()

    async def _look_into(self, call: Call) -> bool:
        """Do what a call is good for; say whether it has had its say."""
        for tries in range(1, _TRIES + 1):
            found = await self._tools.store.doubts.attempt(call.attempt_id)
            if found is None:
                return True
            try:
                await self._apply(*found, call)
            except Later as reason:
                self._tools.news.tell("callback_unchecked", found[0], attempt=call.attempt_id, reason=str(reason))
                if tries < _TRIES:
                    await self._tools.clock.sleep(wait_after(tries, self._tools.random))
            else:
                return True
        return False

    async def _apply(self, job: Job, standing: AttemptState, call: Call) -> None:
        self.arrived(job.account)
        if standing is AttemptState.ACCEPTED and job.state is State.RUNNING and job.remote_id == call.remote_id:
            self.hurry(job)
        elif standing in _WITHOUT_TASK:
            await self.adoption.of(job, call)


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody asks for {job.key}")


def _nowhere(account: str) -> None:
    raise RuntimeError(f"nobody hears of calls for {account}")

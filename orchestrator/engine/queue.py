"""Which job of an account is next: what waited its time out, then by priority and age. Never more than a chunk in memory."""

import asyncio
import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.engine.desk import Desk
from orchestrator.engine.pulse import wait
from orchestrator.engine.tools import Tools
from orchestrator.store.records import Job

CHUNK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which jobs a run is about."""

    batches: Sequence[int]
    only: str | None = None
    """Glob of keys."""
    limit: int | None = None
    """Jobs that may be sent in this run; tries again of the same job do not count."""


class Allowance:
    """How many more jobs this run may send, over all accounts."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self._granted: set[int] = set()

    def grant(self, job: Job) -> bool:
        """Say whether a job may be sent, and count it."""
        if self._left is None or job.id in self._granted:
            return True
        if self._left == 0:
            return False
        self._left -= 1
        self._granted.add(job.id)
        return True

    @property
    def used_up(self) -> bool:
        """Say whether no further job may begin."""
        return self._left == 0


class Queue:
    """The pending jobs of one account."""

    def __init__(self, tools: Tools, desk: Desk, scope: Scope, allowance: Allowance) -> None:
        self._store, self._clock, self._pulse, self._budget = tools.store, tools.clock, tools.pulse, tools.budget
        self._desk, self._scope, self._allowance = desk, scope, allowance
        self._fresh: deque[Job] = deque()
        self._postponed: list[tuple[float, int, Job]] = []
        self._aside: list[Job] = []
        self._waiting: set[int] = set()
        self._woken = asyncio.Event()
        self.empty = False
        """True when the last look found nothing to send now or later."""

    def put_back(self, job: Job) -> None:
        """Take a job that was postponed."""
        heapq.heappush(self._postponed, (job.next_at or 0.0, job.id, job))
        self._waiting.add(job.id)
        self.wake()

    def set_aside(self, job: Job) -> None:
        """Keep a job that does not fit into its budget until money has come back."""
        self._aside.append(job)
        self._waiting.add(job.id)

    def wake(self) -> None:
        """Say that there may be new work."""
        self.empty = False
        self._woken.set()

    async def next(self) -> Job:
        """Return the next job, as soon as there is one."""
        while True:
            job = await self._now()
            if job is not None:
                return job
            await self._until_more()

    async def _now(self) -> Job | None:
        self._take_back()
        while self._postponed and self._postponed[0][0] <= self._clock.now():
            if (job := self._affordable(self._popped())) is not None:
                return job
        if not self._fresh:
            await self._refill()
        while self._fresh:
            job = self._fresh.popleft()
            if self._allowance.grant(job) and self._affordable(job) is not None:
                return job
        return None

    def _affordable(self, job: Job) -> Job | None:
        if not self._budget.holds_back(job):
            return job
        self.set_aside(job)
        return None

    def _take_back(self) -> None:
        """Put what was set aside in front again, the most urgent first, as far as it may go now."""
        ready = [job for job in self._aside if not self._budget.holds_back(job)]
        if ready:
            self._aside = [job for job in self._aside if self._budget.holds_back(job)]
            self._waiting.difference_update(job.id for job in ready)
            ready.sort(key=lambda job: (-job.spec.priority, job.id))
            self._fresh.extendleft(reversed(ready))

    def _popped(self) -> Job:
        _, _, job = heapq.heappop(self._postponed)
        self._waiting.discard(job.id)
        return job

    async def _refill(self) -> None:
        if self._allowance.used_up:
            return
        taken = self._desk.handed | self._waiting
        found = await self._store.candidates(
            account=self._desk.name, batches=self._open_batches(), only=self._scope.only, limit=CHUNK + len(taken)
        )
        self._fresh.extend(job for job in found if job.id not in taken)

    async def _until_more(self) -> None:
        """Sleep until a postponed job is due, or somebody says that there is more."""
        self._woken.clear()
        due = self._postponed[0][0] if self._postponed else None
        if due is None and not self._allowance.used_up:
            due = await self._store.next_due(account=self._desk.name, batches=self._open_batches())
        self.empty = due is None and not self._woken.is_set()  # a job may have come back while the store was asked
        self._pulse.beat()
        await wait(self._woken, self._clock, due - self._clock.now() if due is not None else None)

    def _open_batches(self) -> list[int]:
        return self._budget.open_batches(self._desk.name, self._scope.batches)

"""Which job of an account is next: what waited its time out, then the batches in fair turns, each by priority and age.

Never more than a chunk of each batch is in memory.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from orchestrator.engine.desk import Desk
from orchestrator.engine.pulse import wait
from orchestrator.engine.tools import Tools
from orchestrator.jobs.fairness import Rounds
from orchestrator.store.records import Job

CHUNK = 256
LOOK_AGAIN = 1.0
"""Seconds between looks for work of batches that had none, while others have."""
_PASSING = 64
"""Jobs of a batch among which one is looked for that may pass another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which jobs a run is about."""

    batches: list[int]
    """Grows when a run takes in another batch."""
    weights: dict[int, int] = field(default_factory=dict)
    """Batch -> its share of an account beside others; 1 where nothing is said."""
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
        if not self.allows(job):
            return False
        if self._left is not None and job.id not in self._granted:
            self._left -= 1
            self._granted.add(job.id)
        return True

    def allows(self, job: Job) -> bool:
        """Say whether a job may be sent, without counting it."""
        return not self.used_up or job.id in self._granted

    @property
    def used_up(self) -> bool:
        """Say whether no further job may begin."""
        return self._left == 0


class Queue:
    """The pending jobs of one account."""

    def __init__(self, tools: Tools, desk: Desk, scope: Scope, allowance: Allowance) -> None:
        self._store, self._clock, self._pulse, self._budget = tools.store, tools.clock, tools.pulse, tools.budget
        self._desk, self._scope, self._allowance = desk, scope, allowance
        self._fresh: dict[int, deque[Job]] = {}
        self._rounds = Rounds(scope.weights)
        self._dry: set[int] = set()
        self._looked_at = 0.0
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
        self._dry.clear()
        self._woken.set()

    async def next(self) -> Job:
        """Return the next job, as soon as there is one."""
        while True:
            self._woken.clear()  # before the look: what is said while the store is asked must not be overheard
            job = await self._now()
            if job is not None:
                return job
            await self._until_more()

    async def _now(self) -> Job | None:
        self._take_back()
        while self._postponed and self._postponed[0][0] <= self._clock.now():
            if (job := self._affordable(self._popped())) is not None:
                return job
        await self._refill()
        while self._fresh:
            job = self._fairly()
            if self._allowance.grant(job) and self._affordable(job) is not None:
                return job
        return None

    def _fairly(self) -> Job:
        """Take the first job of the batch whose turn it is."""
        batch = self._rounds.next({batch: jobs[0].spec.request_n for batch, jobs in self._fresh.items()})
        return self._taken(batch, 0)

    def _taken(self, batch: int, index: int) -> Job:
        jobs = self._fresh[batch]
        job = jobs[index]
        del jobs[index]
        if not jobs:
            del self._fresh[batch]
        return job

    def sooner(self, job: Job) -> Job:
        """Return a job whose wait is over meanwhile, instead of one that is still at hand and then is the next again."""
        if not self._postponed or self._postponed[0][0] > self._clock.now() or self._budget.holds_back(self._postponed[0][2]):
            return job
        self._put_in_front(job)
        return self._popped()

    def _put_in_front(self, job: Job) -> None:
        self._fresh.setdefault(job.batch_id, deque()).appendleft(job)
        self._rounds.give_back(job.batch_id, job.spec.request_n)

    def pass_by(self, job: Job, most: int, *, least: int = 1) -> Job | None:
        """Put a job back in front, and return one of `least` to `most` images that may go before it, or None.

        It is the largest among the next ones that are as urgent as the first of their batch: what is left of a limit is used
        up, and nobody is overtaken by what is less urgent.
        """
        found = max(self._passing(most), default=None)
        if found is None or found[0] < least:
            return None
        images, _, back, batch = found
        other = self._taken(batch, -back)
        self._allowance.grant(other)
        self._rounds.take(batch, images)
        self._put_in_front(job)
        return other

    def _passing(self, most: int) -> Iterator[tuple[int, int, int, int]]:
        for batch, jobs in self._fresh.items():
            for index, job in enumerate(islice(jobs, _PASSING)):
                if job.spec.priority < jobs[0].spec.priority:
                    break
                if job.spec.request_n <= most and self._allowance.allows(job):
                    yield job.spec.request_n, -job.id, len(jobs) - index, batch

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
            for job in reversed(ready):
                self._fresh.setdefault(job.batch_id, deque()).appendleft(job)

    def _popped(self) -> Job:
        _, _, job = heapq.heappop(self._postponed)
        self._waiting.discard(job.id)
        return job

    async def _refill(self) -> None:
        """Fetch jobs of the batches that have none in memory: each for itself, else a long one would hide all others."""
        if self._allowance.used_up:
            return
        thirsty = [batch for batch in self._open_batches() if batch not in self._fresh]
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_AGAIN:
            self._looked_at = now
            self._dry.clear()
        for batch in thirsty:
            if batch not in self._dry:
                await self._fetch(batch)

    async def _fetch(self, batch: int) -> None:
        taken = self._desk.handed | self._waiting
        found = await self._store.candidates(
            account=self._desk.name, batches=[batch], only=self._scope.only, limit=CHUNK + len(taken)
        )
        jobs = deque(job for job in found if job.id not in taken)
        if jobs:
            self._fresh[batch] = jobs
        elif not self._woken.is_set():
            self._dry.add(batch)

    async def _until_more(self) -> None:
        """Sleep until a postponed job is due, or somebody says that there is more."""
        self._dry.clear()
        due = self._postponed[0][0] if self._postponed else None
        if due is None and not self._allowance.used_up:
            due = await self._store.next_due(account=self._desk.name, batches=self._open_batches())
            if due is not None and due <= self._clock.now():
                due = self._clock.now() + LOOK_AGAIN  # what is due is handed out already: its references are on their way
        self.empty = due is None and not self._woken.is_set()  # a job may have come back while the store was asked
        self._pulse.beat()
        await wait(self._woken, self._clock, due - self._clock.now() if due is not None else None)

    def _open_batches(self) -> list[int]:
        return self._budget.open_batches(self._desk.name, self._scope.batches)

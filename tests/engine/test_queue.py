"""A run is over when its queues are empty, so a queue must never look empty while it holds a job."""

import asyncio
from types import SimpleNamespace
from typing import Any

from orchestrator.engine.budget import Budget
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.queue import Allowance, Queue, Scope
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.spec import JobSpec
from orchestrator.store.records import Job
from tests.clocks import JumpingClock

NOBODY: Any = None
JOB = Job(
    id=1,
    batch_id=1,
    batch="spring",
    spec=JobSpec(key="kite", account="studio", provider="toapis", model="gpt-4o-image", prompt="a kite"),
    state=State.PENDING,
    next_at=0.0,
)


class StoreThatTakesItsTime:
    """Knows no job; while it is asked when the next one is due, the only one is put back."""

    queue: Queue

    async def candidates(self, **_scope: Any) -> list[Job]:
        return []

    async def next_due(self, **_scope: Any) -> float | None:
        self.queue.put_back(JOB)
        return None


class WatchfulPulse(Pulse):
    """Notes at each beat whether the queue said it was empty: then the runtime looks, too."""

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__(clock)
        self.seen: list[bool] = []
        self.queue: Queue

    def beat(self) -> None:
        self.seen.append(self.queue.empty)
        super().beat()


async def test_a_job_that_is_put_back_while_the_store_is_asked_keeps_the_run_alive(clock: JumpingClock) -> None:
    store, pulse = StoreThatTakesItsTime(), WatchfulPulse(clock)
    tools: Any = SimpleNamespace(store=store, clock=clock, pulse=pulse, budget=Budget(NOBODY, clock))
    desk: Any = SimpleNamespace(name="studio", handed=set())
    queue = store.queue = pulse.queue = Queue(tools, desk, Scope(batches=[1]), Allowance(None))
    assert await queue.next() is JOB
    assert pulse.seen == [False]


class StoreThatIsAskedTooEarly(StoreThatTakesItsTime):
    """Frees a child, and says so, after it was looked for and before the answer is here."""

    freed = False

    async def candidates(self, **_scope: Any) -> list[Job]:
        if self.freed:
            return [JOB]
        self.freed = True
        self.queue.wake()
        return []

    async def next_due(self, **_scope: Any) -> float | None:
        return None


async def test_a_child_that_is_freed_while_the_store_is_asked_keeps_the_run_alive(clock: JumpingClock) -> None:
    store, pulse = StoreThatIsAskedTooEarly(), WatchfulPulse(clock)
    tools: Any = SimpleNamespace(store=store, clock=clock, pulse=pulse, budget=Budget(NOBODY, clock))
    desk: Any = SimpleNamespace(name="studio", handed=set())
    queue = store.queue = pulse.queue = Queue(tools, desk, Scope(batches=[1]), Allowance(None))
    async with asyncio.timeout(5):
        assert await queue.next() is JOB
    assert True not in pulse.seen

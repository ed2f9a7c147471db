from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest

from orchestrator.simulator import Simulator, SimulatorOptions

from .bench import Bench, ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OpenBench(Protocol):
    async def __call__(self, *, clock: ManualClock | None = None, **options: Any) -> Bench: ...


@pytest.fixture
async def open_bench() -> AsyncIterator[OpenBench]:
    """Starts simulators with these options; all are stopped at the test's end."""
    async with AsyncExitStack() as stack:

        async def start(*, clock: ManualClock | None = None, **options: Any) -> Bench:
            own_clock = clock or ManualClock()
            simulator = Simulator(SimulatorOptions(**{"image_side": 32, **options}), clock=own_clock)
            await stack.enter_async_context(simulator)
            session = aiohttp.ClientSession(headers={"Authorization": "Bearer secret-key-1"})
            return Bench(simulator, await stack.enter_async_context(session), own_clock)

        yield start


@pytest.fixture
async def bench(open_bench: OpenBench) -> Bench:
    """A healthy simulator."""
    return await open_bench()

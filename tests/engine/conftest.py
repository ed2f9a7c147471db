from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest

from orchestrator.jobs.clock import Clock
from orchestrator.simulator import Simulator, SimulatorOptions
from tests.clocks import JumpingClock

from .bench import KEYS, SIDE, Bench

NOTHING: Mapping[str, Any] = MappingProxyType({})


class OpenBench(Protocol):
    async def __call__(self, provider: str, *, clock: Clock = ..., account: Mapping[str, Any] = ..., **options: Any) -> Bench: ...


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


@pytest.fixture
async def clock() -> AsyncIterator[JumpingClock]:
    async with JumpingClock() as clock:
        yield clock


@pytest.fixture
async def open_bench(tmp_path: Path, clock: JumpingClock) -> AsyncIterator[OpenBench]:
    """Starts simulators with these options, and gives each an empty folder; on virtual time unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def start(provider: str, *, clock: Clock = clock, account: Mapping[str, Any] = NOTHING, **options: Any) -> Bench:
            simulator = Simulator(SimulatorOptions(**{"image_side": SIDE, "provider": provider, **options}), clock=clock)
            await stack.enter_async_context(simulator)
            folder = tmp_path / simulator.base_url.rpartition(":")[2]
            folder.mkdir()
            return Bench(folder=folder, simulator=simulator, provider=provider, clock=clock, account=account)

        yield start

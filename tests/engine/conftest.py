import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest
from sqlalchemy import create_engine

from orchestrator.jobs.clock import Clock
from orchestrator.simulator import Simulator, SimulatorOptions
from orchestrator.store import opening
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


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables and nothing else: making them again for each test takes a tenth of a second."""
    path = tmp_path_factory.mktemp("template") / "orchestrator.db"
    opening.make_private(path)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        opening._upgrade(connection)
    engine.dispose()
    return path


@pytest.fixture
async def open_bench(tmp_path: Path, clock: JumpingClock, empty_store: Path) -> AsyncIterator[OpenBench]:
    """Starts simulators with these options, and gives each an empty folder; on virtual time unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def start(provider: str, *, clock: Clock = clock, account: Mapping[str, Any] = NOTHING, **options: Any) -> Bench:
            simulator = Simulator(SimulatorOptions(**{"image_side": SIDE, "provider": provider, **options}), clock=clock)
            await stack.enter_async_context(simulator)
            folder = tmp_path / simulator.base_url.rpartition(":")[2]
            folder.mkdir()
            bench = Bench(folder=folder, simulator=simulator, provider=provider, clock=clock, account=account)
            shutil.copy(empty_store, bench.database)
            return bench

        yield start

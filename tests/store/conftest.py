from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.store.store import Store
from tests.clock import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(tmp_path: Path, clock: StillClock) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "orchestrator.db", clock) as opened:
        yield opened

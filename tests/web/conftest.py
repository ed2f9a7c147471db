from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.store.store import Store
from tests.clock import StillClock
from tests.engine.bench import KEYS
from tests.engine.conftest import clock, empty_store, open_bench

from .calling import SECRET

__all__ = ["clock", "empty_store", "open_bench"]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in {**KEYS, "TTAPI_API_KEY": "tt-key-for-tests", "TOAPIS_WEBHOOK_SECRET": SECRET}.items():
        monkeypatch.setenv(name, key)


@pytest.fixture
def still() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(tmp_path: Path, still: StillClock) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "orchestrator.db", still) as opened:
        yield opened

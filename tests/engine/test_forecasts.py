"""The remaining time is that of the limit that binds, and close to the truth from the first tenth on."""

import asyncio
from typing import Any

import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from tests.clocks import JumpingClock

from .bench import Bench, rows
from .conftest import OpenBench
from .processes import until


async def forecast(bench: Bench, clock: JumpingClock, jobs: int) -> tuple[float, str, float]:
    """Return what was predicted after a tenth of the run, what was said to bind, and the truth, in seconds."""
    boards: list[Board] = []
    said: list[tuple[float, str, float]] = []

    def begun(_runtime: Runtime, board: Board) -> None:
        boards.append(board)

    async def ask() -> None:
        await until(lambda: bool(boards) and boards[0].at_rest >= jobs // 10)
        remaining, ahead = boards[0].remaining, boards[0].ahead
        assert remaining is not None
        assert ahead is not None
        said.append((remaining, ahead.binding.value, clock.monotonic()))

    asking = asyncio.create_task(ask())
    assert (await bench.run(rows(jobs), begun=begun)).exit_code == 0
    await asking
    predicted, binding, at = said[0]
    return predicted, binding, clock.monotonic() - at


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "account", "options", "binding"),
    [
        ("openai-images", {"concurrency": 30, "ipm": 30}, {"ipm": 30, "latency": 1.0}, "ipm"),
        ("openai-images", {"concurrency": 30, "rpm": 40}, {"rpm": 40, "burst": 10, "latency": 1.0}, "rpm"),
        ("openai-images", {"concurrency": 4}, {"latency": 5.0}, "concurrency"),
        ("toapis", {"concurrency": 8, "outstanding": 12}, {"duration": 20.0}, "outstanding"),
    ],
)
async def test_after_a_tenth_the_rest_is_known_within_a_tenth(
    open_bench: OpenBench, clock: JumpingClock, provider: str, account: dict[str, Any], options: dict[str, Any], binding: str
) -> None:
    bench = await open_bench(provider, account=account, **options)
    predicted, bound_by, truth = await forecast(bench, clock, 120)
    assert bound_by == binding
    assert predicted == pytest.approx(truth, rel=0.15)

"""Tasks are asked for when they are likely to be finished: seldom, soon after their end, and never all at once."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from orchestrator.app import Finished
from orchestrator.jobs.attempts import AttemptState
from tests.faults.gateway import ENDLESS, POLL, Gateway, page

from .bench import Bench, rows
from .conftest import OpenBench
from .processes import until

LONG: dict[str, Any] = {"duration": 20.0, "spread": 0.5}


def polls_per_task(bench: Bench) -> float:
    return len(bench.simulator.ledger.polls) / len(bench.accepted())


def delays(bench: Bench) -> list[float]:
    """Return for each task how long after its end it was known, as a share of its duration."""
    known = {poll.task_id: poll.at for poll in bench.simulator.ledger.polls if poll.status == "completed"}
    return [
        (known[task.task_id] - task.at - task.duration) / task.duration
        for task in bench.accepted()
        if task.task_id is not None and task.duration is not None
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("reports", "most_polls", "most_delay"), [(False, 3.8, 0.16), (True, 2.8, 0.05)])
async def test_tasks_are_found_soon_after_their_end_with_few_polls(
    open_bench: OpenBench, *, reports: bool, most_polls: float, most_delay: float
) -> None:
    account = {"concurrency": 16, "outstanding": 20}
    bench = await open_bench("toapis", account=account, reports_progress=reports, **LONG)
    assert (await bench.run(rows(110))).exit_code == 0
    assert polls_per_task(bench) <= most_polls
    assert median(delays(bench)[40:]) <= most_delay


@pytest.mark.slow
async def test_what_was_learned_of_tasks_is_used_from_the_first_one_on_in_the_next_run(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={"concurrency": 8}, duration=30.0, reports_progress=False)
    await bench.run(rows(12))
    before = len(bench.simulator.ledger.polls)
    await bench.run(rows(24))
    assert len(bench.simulator.ledger.polls) - before <= 12 * 2.5


async def test_tasks_that_take_no_time_are_not_waited_for_once_that_is_known(open_bench: OpenBench) -> None:
    account = {"concurrency": 4, "outstanding": 4}
    bench = await open_bench("toapis", account=account, duration=0.2, latency=0.1, reports_progress=False)
    assert (await bench.run(rows(40))).exit_code == 0
    assert polls_per_task(bench) <= 1.5
    assert max(share * 0.2 for share in delays(bench)[-10:]) < 1.1
    assert median(delays(bench)[-10:]) * 0.2 < 0.3


@pytest.mark.slow
async def test_polls_keep_to_their_own_limit(open_bench: OpenBench) -> None:
    account = {"concurrency": 16, "outstanding": 100, "poll_rpm": 60}
    bench = await open_bench("toapis", account=account, duration=5.0)
    assert (await bench.run(rows(50))).exit_code == 0
    moments = [poll.at for poll in bench.simulator.ledger.polls]
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 0.99


@pytest.mark.slow
async def test_tasks_of_an_earlier_run_are_not_asked_for_all_at_once(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={"concurrency": 64, "outstanding": 200}, duration=3600.0)
    polls = bench.simulator.ledger.polls
    await drained(bench, bench.run(rows(200)), lambda: len(bench.accepted()) == 200)
    polls.clear()
    await drained(bench, bench.resume(), lambda: len({poll.task_id for poll in polls}) >= 160)
    assert max(sum(first.at <= other.at < first.at + 1.0 for other in polls) for first in polls) <= 90


async def drained(bench: Bench, run: Coroutine[Any, Any, Finished], is_time: Callable[[], bool]) -> None:
    """Run until it is time, then stop as Ctrl-C does."""
    work = asyncio.create_task(run)
    await until(is_time)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert set(bench.states().values()) == {"running"}


@pytest.mark.slow
async def test_a_task_whose_state_stays_unreadable_is_held_at_its_deadline(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", duration=1.0)
    async with Gateway(upstream=bench.simulator.url_for("toapis"), stage=POLL, spoil=page(), times=ENDLESS) as gateway:
        bench.account = {"base_url": gateway.base_url, "task_deadline": "3m"}
        finished = await bench.run(rows(2))
    assert finished.exit_code == 5
    assert set(bench.states().values()) == {"uncertain"}
    assert {state for state, _ in bench.attempts()} == {AttemptState.UNCERTAIN.value}

"""A death at every place there is (reliability.md a.3), and what the next run makes of it."""

import pytest

from tests.clocks import FastClock
from tests.engine.bench import Bench, rows
from tests.engine.conftest import OpenBench

from .gateway import SUBMIT, Gateway, page
from .verdict import assert_fair
from .victims import death, start

pytestmark = pytest.mark.faults

SPEED = 15.0
"""Virtual seconds per second: a look-up that finds nothing is repeated for a minute."""
JOBS = 3

TASKS = {
    "P0": 0,
    "P0'": 0,
    "P1": 1,
    "P2": 1,
    "P3": 0,
    "P6": 0,
    "P7": 0,
    "P8": 0,
    "P9": 0,
    "P10": 0,
    "P11": 0,
    "P12": 0,
}
"""Where a task API's engine dies -> the jobs in doubt: a task that was accepted is found by our own reference."""
DIRECT = {
    "P0": 0,
    "P0'": 0,
    "P1": 1,
    "P2": 1,
    "P3": 1,
    "P4": 1,
    "P5": 0,
    "P6": 0,
    "P8": 0,
    "P9": 0,
    "P10": 0,
    "P11": 0,
    "P12": 0,
}
"""Where the engine of an API dies that answers with the image: an answer that is not on disk is lost."""
NOT_CHARGED = ("P1", "P2")


async def killed_at(open_bench: OpenBench, provider: str, orders: str, jobs: int, **options: object) -> Bench:
    """Return a bench whose engine died there, and whose batch was then run to its end."""
    bench = await open_bench(provider, clock=FastClock(SPEED), account={"concurrency": 1}, **options)
    bench.write(rows(jobs))
    await death(await start(bench, "run", orders))
    await bench.run()
    return bench


@pytest.mark.parametrize("point", TASKS)
async def test_a_task_api_survives_a_death_at(open_bench: OpenBench, point: str) -> None:
    bench = await killed_at(open_bench, "toapis", f"{point}:1:die", JOBS)
    held = assert_fair(bench, rows(JOBS), uncertain=TASKS[point])
    assert len(bench.accepted()) == JOBS - len(held)


@pytest.mark.parametrize("point", DIRECT)
async def test_an_api_that_answers_with_the_image_survives_a_death_at(open_bench: OpenBench, point: str) -> None:
    bench = await killed_at(open_bench, "openai-images", f"{point}:1:die", JOBS)
    held = assert_fair(bench, rows(JOBS), uncertain=DIRECT[point])
    paid = bench.simulator.ledger.charged_prompts()
    assert [paid[row["prompt"]] for row in held] == [0 if point in NOT_CHARGED else 1] * len(held)


@pytest.mark.parametrize("commit", range(1, 10, 2))
async def test_a_death_within_any_commit_leaves_all_of_it_or_nothing(open_bench: OpenBench, commit: int) -> None:
    bench = await killed_at(open_bench, "openai-images", f"P0':{commit}:die", JOBS)
    assert_fair(bench, rows(JOBS), uncertain=range(2))


@pytest.mark.parametrize(
    ("orders", "why"),
    [
        ("P3:1:break-store,P16:1:die", "only memory had the task's id, and our own reference finds it"),
        ("P3:1:break-store,P5:1:die", "the task's id lies in the spool"),
        ("P3:1:break-store,P4:1:disk-full,P15:1:die", "the task's id lies in the journal, which no full disk takes away"),
    ],
)
async def test_a_task_id_outlives_a_store_that_does_not_take_it_and_a_death(open_bench: OpenBench, orders: str, why: str) -> None:
    bench = await killed_at(open_bench, "toapis", orders, 1, lookup="P16" in orders)
    assert assert_fair(bench, rows(1)) == [], why
    assert len(bench.accepted()) == 1


async def test_an_image_outlives_a_store_that_does_not_take_it_and_a_death(open_bench: OpenBench) -> None:
    bench = await killed_at(open_bench, "openai-images", "P3:1:break-store,P16:1:die", 1)
    assert_fair(bench, rows(1))


async def test_an_answer_nobody_can_read_is_kept_and_held_even_when_its_reader_dies(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", clock=FastClock(SPEED), lookup=False)
    async with Gateway(upstream=bench.simulator.url_for("toapis"), stage=SUBMIT, spoil=page()) as gateway:
        bench.account = {"base_url": gateway.base_url}
        bench.write(rows(1))
        await death(await start(bench, "run", "P13:1:die"))
        await bench.run()
    (held,) = assert_fair(bench, rows(1), uncertain=1)
    assert held["attempts"][-1]["client_ref"] in bench.answers()

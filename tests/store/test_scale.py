"""What the store does grows with the rows it is about, never with their square: counted in steps of SQLite, not in seconds."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from orchestrator.jobs.spec import ParentImage
from orchestrator.store.store import Store
from tests.clock import StillClock
from tests.store.making import ACCOUNT, load, new_job

FEW, MANY = 150, 1200
GROWTH = MANY / FEW
BLOCK = 50
"""Steps of SQLite's machine that are counted as one."""


class Steps:
    """How many blocks of steps all connections have taken."""

    def __init__(self) -> None:
        self.taken = 0

    def count(self) -> int:
        self.taken += 1
        return 0  # go on


@pytest.fixture
def steps() -> Iterator[Steps]:
    counted = Steps()

    def listen(connection: Any, _record: object) -> None:
        connection.run_async(lambda driver: driver.set_progress_handler(counted.count, BLOCK))

    event.listen(Engine, "connect", listen)
    yield counted
    event.remove(Engine, "connect", listen)


def plain(count: int) -> list[Any]:
    return [new_job(position) for position in range(count)]


def chained(count: int) -> list[Any]:
    return [
        new_job(position, references=(ParentImage(job=f"job-{position - 1}", image=0),) if position % 3 else ())
        for position in range(count)
    ]


Question = Callable[[Store, int], Awaitable[object]]


@asynccontextmanager
async def stored(folder: Path, jobs: list[Any]) -> AsyncIterator[tuple[Store, int]]:
    async with Store.open(folder / f"{len(jobs)}.db", StillClock()) as store:
        yield store, (await load(store, *jobs)).batch_id


@pytest.mark.parametrize("making", [plain, chained])
async def test_loading_a_batch_and_loading_it_again_cost_the_same_for_each_row(
    tmp_path: Path, steps: Steps, making: Callable[[int], list[Any]]
) -> None:
    taken = []
    for count in (FEW, MANY):
        before = steps.taken
        async with stored(tmp_path, making(count)) as (store, _):
            first = steps.taken - before
            await load(store, *making(count))
            taken.append((first, steps.taken - before - first))
    (few, few_again), (many, many_again) = taken
    assert many < 1.2 * GROWTH * few
    assert many_again < 1.2 * GROWTH * few_again


OF_ONE_PASS: dict[str, Question] = {
    "what to send next": lambda store, batch: store.candidates(account=ACCOUNT.name, batches=[batch], only=None, limit=64),
    "when the next job is due": lambda store, batch: store.next_due(account=ACCOUNT.name, batches=[batch]),
    "whether anything is left": lambda store, batch: store.is_unfinished(batch),
}


@pytest.mark.parametrize("question", OF_ONE_PASS.values(), ids=OF_ONE_PASS)
async def test_what_is_asked_again_and_again_costs_the_same_however_long_the_batch_is(
    tmp_path: Path, steps: Steps, question: Question
) -> None:
    taken = []
    for count in (FEW, MANY):
        async with stored(tmp_path, plain(count)) as (store, batch):
            before = steps.taken
            for _ in range(20):
                await question(store, batch)
            taken.append(steps.taken - before)
    few, many = taken
    assert many <= 1.2 * few + 20


async def test_what_to_send_of_a_short_batch_costs_the_same_behind_a_long_one(tmp_path: Path, steps: Steps) -> None:
    taken = []
    for count in (FEW, MANY):
        async with stored(tmp_path, plain(count)) as (store, _):
            behind = (await load(store, *plain(64), batch="behind")).batch_id
            before = steps.taken
            await OF_ONE_PASS["what to send next"](store, behind)
            taken.append(steps.taken - before)
    few, many = taken
    assert many <= 1.2 * few + 20

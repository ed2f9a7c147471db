import asyncio
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.lifecycle import State
from orchestrator.store.door import Stale, Step, Write
from orchestrator.store.store import Store
from tests.store.making import ACCOUNT, intent, pending, verbs

TOUCH = text("UPDATE job SET tries = tries + 1 WHERE id = :id AND state = :state")
NOTE = text("INSERT INTO event (job_id, at, event, target, actor) VALUES (:job, 0, 'noted', 'pending', 'test')")


def touch(job_id: int, state: State = State.PENDING, *notes: int) -> Write:
    others = [Step(NOTE, {"job": note}) for note in notes]
    return Write(job_id, Step(TOUCH, {"id": job_id, "state": state}), others)


async def tries(store: Store) -> list[int]:
    async def look(connection: AsyncConnection) -> list[int]:
        return list((await connection.execute(text("SELECT tries FROM job ORDER BY id"))).scalars())

    return await store.door.look(look)


async def test_what_waits_together_is_committed_together(store: Store) -> None:
    jobs = await pending(store, 50)
    before = store.door.commits
    await asyncio.gather(*(store.door.write(touch(job.id)) for job in jobs))
    assert store.door.commits - before <= 2
    assert await tries(store) == [1] * 50


async def test_two_writes_about_one_job_keep_their_order(store: Store) -> None:
    job = (await pending(store))[0]
    go = verbs(store)

    async def claim_and_accept() -> None:
        await go.claim(job, intent())

    await asyncio.gather(claim_and_accept(), *(store.door.write(touch(job.id, State.SUBMITTING)) for _ in range(3)))
    assert await tries(store) == [3]


async def test_a_stale_write_fails_alone_and_takes_nothing_with_it(store: Store) -> None:
    jobs = await pending(store, 10)
    writes = [touch(job.id, State.RUNNING if job is jobs[3] else State.PENDING, job.id) for job in jobs]
    outcomes = await asyncio.gather(*(store.door.write(write) for write in writes), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Stale if i == 3 else type(None) for i in range(10)]
    assert await tries(store) == [0 if i == 3 else 1 for i in range(10)]


async def test_a_refused_row_fails_its_own_write_only(store: Store) -> None:
    jobs = await pending(store, 3)
    writes = [touch(jobs[0].id), touch(jobs[1].id, State.PENDING, 999_999), touch(jobs[2].id)]
    outcomes = await asyncio.gather(*(store.door.write(write) for write in writes), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), sqlite3.IntegrityError, type(None)]
    assert await tries(store) == [1, 0, 1]


async def test_a_cancelled_caller_does_not_cancel_the_write(store: Store) -> None:
    job = (await pending(store))[0]
    task = asyncio.create_task(store.door.write(touch(job.id)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.door.write(touch(job.id))
    assert await tries(store) == [2]


async def test_nothing_written_is_seen_before_its_commit_and_everything_after(store: Store) -> None:
    jobs = await pending(store, 20)
    await asyncio.gather(*(verbs(store).claim(job, intent()) for job in jobs))
    assert await store.candidates(account=ACCOUNT.name, batches=[1], only=None, limit=100) == []


async def test_the_second_live_attempt_of_a_job_is_refused_by_the_database(store: Store) -> None:
    job = (await pending(store))[0]
    await verbs(store).claim(job, intent())
    twin = text(
        "INSERT INTO attempt (id, job_id, number, account, provider, state, charged, client_ref, started_at) "
        "VALUES ('twin', :job, 2, 'studio', 'toapis', 'open', 'possible', 'twin', 0)"
    )
    with pytest.raises(IntegrityError, match=r"attempt\.job_id"):
        await store.door.transact(lambda connection: connection.execute(twin, {"job": job.id}))

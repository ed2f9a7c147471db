"""The engine's verbs: each leaves what it says, writes its event with it, and changes nothing when it comes too late."""

import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.attempts import AttemptState, Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import IllegalStep, State
from orchestrator.store.door import Stale
from orchestrator.store.records import Accepted, Job, NewAttempt
from orchestrator.store.store import Store
from orchestrator.store.transitions import Transitions
from tests.clock import StillClock
from tests.store.making import (
    ACCOUNT,
    LOST,
    REFUSED,
    delivery,
    ended,
    failed,
    first_image,
    in_state,
    intent,
    pending,
    saved,
    verbs,
)

VERBS: dict[str, tuple[State, Callable[[Transitions, Job], Awaitable[Job]], State]] = {
    "claim": (State.PENDING, lambda go, job: go.claim(job, intent()), State.SUBMITTING),
    "refuse_unsent": (State.PENDING, lambda go, job: go.refuse_unsent(job, REFUSED), State.FAILED),
    "postpone_unsent": (State.PENDING, lambda go, job: go.postpone_unsent(job, LOST, next_at=9.0, tries=1), State.PENDING),
    "postpone": (
        State.SUBMITTING,
        lambda go, job: go.postpone(job, ended(AttemptState.THROTTLED), next_at=9.0, tries=0, throttles=1),
        State.PENDING,
    ),
    "refuse": (State.SUBMITTING, lambda go, job: go.refuse(job, ended(AttemptState.REFUSED, REFUSED), REFUSED), State.FAILED),
    "accept": (State.SUBMITTING, lambda go, job: go.accept(job, Accepted(remote_id="t")), State.RUNNING),
    "adopt": (State.UNCERTAIN, lambda go, job: go.accept(job, Accepted(remote_id="t")), State.RUNNING),
    "deliver at once": (State.SUBMITTING, lambda go, job: go.deliver(job, delivery()), State.READY),
    "deliver": (State.RUNNING, lambda go, job: go.deliver(job, delivery()), State.READY),
    "deliver late": (State.UNCERTAIN, lambda go, job: go.deliver(job, delivery()), State.READY),
    "doubt": (State.SUBMITTING, lambda go, job: go.doubt(job, LOST, Phase.SENT, next_at=None), State.UNCERTAIN),
    "doubt a task": (State.RUNNING, lambda go, job: go.doubt(job, LOST, Phase.ANSWERED, next_at=None), State.UNCERTAIN),
    "look_again": (State.UNCERTAIN, lambda go, job: go.look_again(job, "nothing found", next_at=None), State.UNCERTAIN),
    "fail_task": (State.RUNNING, lambda go, job: go.fail_task(job, failed(), REFUSED), State.FAILED),
    "start_download": (State.READY, lambda go, job: go.start_download(job), State.DOWNLOADING),
    "postpone_download": (State.DOWNLOADING, lambda go, job: go.postpone_download(job, [], "cut", next_at=9.0), State.READY),
    "ask_again": (State.DOWNLOADING, lambda go, job: go.ask_again(job, [first_image(job)], "HTTP 404"), State.RUNNING),
    "finish": (State.DOWNLOADING, lambda go, job: go.finish(job, [(first_image(job), saved())]), State.SUCCEEDED),
    "lose": (State.DOWNLOADING, lambda go, job: go.lose(job, [first_image(job)], LOST), State.EXPIRED),
    "give_up_download": (State.DOWNLOADING, lambda go, job: go.give_up_download(job, [first_image(job)], LOST), State.FAILED),
}


async def rows(store: Store, question: str, **facts: Any) -> list[dict[str, Any]]:
    async def look(connection: AsyncConnection) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in (await connection.execute(text(question), facts)).all()]

    return await store.door.look(look)


async def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {
        table: await rows(store, f"SELECT * FROM {table}")  # noqa: S608 - names of our own
        for table in ("job", "attempt", "image", "event", "account")
    }


@pytest.mark.parametrize("name", VERBS)
async def test_a_verb_leads_where_it_says_and_leaves_an_event(store: Store, name: str) -> None:
    source, verb, target = VERBS[name]
    job = await in_state(store, source)
    heard: list[tuple[State, State]] = []
    after = await verb(verbs(store, lambda before, to: heard.append((before.state, to))), job)
    (stored,) = await rows(store, "SELECT state FROM job")
    (event,) = await rows(store, "SELECT source, target, actor FROM event ORDER BY id DESC LIMIT 1")
    assert (after.state, stored["state"]) == (target, target)
    assert event == {"source": source, "target": target, "actor": "test"}
    assert heard == [(source, target)]


@pytest.mark.parametrize("name", VERBS)
async def test_a_verb_that_comes_too_late_changes_nothing(store: Store, name: str) -> None:
    source, verb, _ = VERBS[name]
    job = await in_state(store, source)
    await store.door.transact(
        lambda connection: connection.execute(text("UPDATE job SET attempt_id = 'somebody-elses' WHERE state <> 'succeeded'"))
    )
    before = await everything(store)
    with pytest.raises(Stale):
        await verb(verbs(store), job)
    assert await everything(store) == before


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.EXPIRED])
@pytest.mark.parametrize("name", VERBS)
async def test_no_verb_of_the_engine_leaves_a_final_state(store: Store, state: State, name: str) -> None:
    job = await in_state(store, state)
    before = await everything(store)
    with pytest.raises(IllegalStep):
        await VERBS[name][1](verbs(store), job)
    assert await everything(store) == before


async def test_an_attempt_is_written_down_with_its_worst_cost_before_anything_is_sent(store: Store, clock: StillClock) -> None:
    job = (await pending(store))[0]
    await verbs(store).claim(job, NewAttempt(id="a" * 32, worker="host:1", request_sha256="cd"))
    (attempt,) = await rows(store, "SELECT * FROM attempt")
    assert (attempt["state"], attempt["phase"], attempt["charged"]) == ("open", "none", "possible")
    assert (attempt["cost_estimated"], attempt["cost_reserved"]) == (20_000_000, 40_000_000)
    assert (attempt["client_ref"], attempt["started_at"], attempt["number"]) == ("a" * 32, clock.now(), 1)


async def test_the_first_acceptance_ever_is_remembered_with_the_account(store: Store, clock: StillClock) -> None:
    assert (await store.accounts()).get(ACCOUNT.name) is None
    await in_state(store, State.RUNNING)
    first = clock.now()
    clock.move(10)
    assert (await store.accounts())[ACCOUNT.name].accepted_at == first


async def test_a_result_asked_for_again_keeps_what_is_saved_and_is_not_paid_twice(store: Store) -> None:
    go = verbs(store)
    job = await in_state(store, State.RUNNING)
    job = await go.deliver(job, delivery("https://f.example/0?old", "https://f.example/1?old"))
    job = await go.start_download(job)
    await go.save(job, first_image(job, 0), saved())
    job = await go.ask_again(job, [first_image(job, 1)], "HTTP 403")
    job = await go.deliver(job, delivery("https://f.example/0?new", "https://f.example/1?new"))
    images = await rows(store, 'SELECT "index", state, url, tries, refetches FROM image ORDER BY "index"')
    assert images == [
        {"index": 0, "state": "saved", "url": None, "tries": 0, "refetches": 0},
        {"index": 1, "state": "wanted", "url": "https://f.example/1?new", "tries": 1, "refetches": 1},
    ]
    (attempt,) = await rows(store, "SELECT cost_settled FROM attempt")
    assert attempt["cost_settled"] == 30_000_000


async def test_images_beyond_what_was_asked_are_kept_as_extra(store: Store) -> None:
    go = verbs(store)
    job = await go.deliver(await in_state(store, State.RUNNING), delivery("https://f.example/0", "https://f.example/1"))
    job = await go.start_download(job)
    await go.save(job, first_image(job, 0), saved("mugs/a-0.png"))
    await go.finish(job, [(first_image(job, 1), saved("mugs/a-1.png"))])
    assert [row["state"] for row in await rows(store, 'SELECT state FROM image ORDER BY "index"')] == ["saved", "extra"]


async def test_a_job_that_got_fewer_images_is_partial(store: Store) -> None:
    go = verbs(store)
    job = await go.deliver(await in_state(store, State.RUNNING), delivery(missing=1))
    job = await go.finish(await go.start_download(job), [(first_image(job), saved())])
    assert job.partial


async def test_an_uncertain_attempt_stays_possible_in_the_books(store: Store) -> None:
    await in_state(store, State.UNCERTAIN)
    (batch,) = await store.batches()
    overview = await store.overview(batch)
    assert overview.at_stake == Decimal("0.04")
    assert overview.spent == 0
    (attempt,) = await rows(store, "SELECT state, charged, phase, reason FROM attempt")
    assert attempt == {"state": "uncertain", "charged": "possible", "phase": "sent", "reason": "answer_lost"}


async def test_a_provider_cannot_have_one_attempt_id_twice(store: Store) -> None:
    first, second = await pending(store, 2)
    same = NewAttempt(id=secrets.token_hex(16), worker="test")
    await verbs(store).claim(first, same)
    with pytest.raises(Exception, match="UNIQUE"):
        await verbs(store).claim(second, same)
    assert [row["state"] for row in await rows(store, "SELECT state FROM job ORDER BY id")] == ["submitting", "pending"]


async def test_a_pause_keeps_its_first_reason_until_it_is_lifted(store: Store) -> None:
    await pending(store)
    await store.pause_account(ACCOUNT.name, Failure(code=ErrorCode.QUOTA, message="balance is empty"))
    await store.pause_account(ACCOUNT.name, Failure(code=ErrorCode.BAD_KEY, message="unknown key"))
    row = (await store.accounts())[ACCOUNT.name]
    assert (row.pause_code, row.pause_message) == ("quota", "balance is empty")
    await store.lift_pause(ACCOUNT.name)
    assert (await store.accounts())[ACCOUNT.name].paused_at is None

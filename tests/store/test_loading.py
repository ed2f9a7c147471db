"""A batch comes in with one switch, again and again, and is never paid for twice."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from orchestrator.jobs.lifecycle import State
from orchestrator.store.accounts import AccountInUse
from orchestrator.store.loading import Changed, ChangedSpecs
from orchestrator.store.operators import Selection
from orchestrator.store.store import Store
from tests.store.making import ACCOUNT, in_state, intent, load, new_job, pending, verbs


async def keys(store: Store) -> list[str]:
    batches = [batch.id for batch in await store.batches()]
    found = await store.candidates(account=ACCOUNT.name, batches=batches, only=None, limit=1000)
    return [job.key for job in found]


async def test_a_batch_read_again_adds_nothing(store: Store) -> None:
    jobs = [new_job(i) for i in range(5)]
    first, again = await load(store, *jobs), await load(store, *jobs)
    assert (first.added, first.known) == (5, 0)
    assert (again.added, again.known, again.batch_id) == (0, 5, first.batch_id)
    assert len(await keys(store)) == 5


async def test_rows_that_were_never_switched_are_swept_out_and_seen_by_nobody(store: Store) -> None:
    dead = store.loading()
    await dead.begin()
    await dead.add([new_job(0), new_job(1)])
    assert await store.batches() == []
    await load(store, new_job(7))
    assert await keys(store) == ["job-7"]
    left = await store.door.look(lambda connection: connection.scalar(text("SELECT count(*) FROM incoming")))
    assert left == 0


async def test_a_batch_that_grew_gets_only_its_new_rows(store: Store) -> None:
    await load(store, new_job(0))
    assert (await load(store, new_job(0), new_job(1))).added == 1


async def test_a_row_that_left_the_file_is_gone_and_not_sent_and_may_come_back(store: Store) -> None:
    await load(store, new_job(0), new_job(1))
    assert (await load(store, new_job(1))).gone == 1
    assert await keys(store) == ["job-1"]
    assert (await load(store, new_job(0), new_job(1))).gone == 0
    assert await keys(store) == ["job-0", "job-1"]


async def test_a_changed_spec_under_an_old_key_is_an_error_that_names_it_and_changes_nothing(store: Store) -> None:
    await load(store, new_job(0), new_job(1))
    with pytest.raises(ChangedSpecs) as caught:
        await load(store, new_job(0), new_job(1, prompt="Something else"), new_job(2))
    assert caught.value.keys == [(1, "job-1")]
    assert await keys(store) == ["job-0", "job-1"]


async def test_a_changed_spec_can_be_ignored(store: Store) -> None:
    await load(store, new_job(0))
    loaded = await load(store, new_job(0, prompt="Something else"), changed=Changed.KEEP)
    assert loaded.kept == ("job-0",)
    (job,) = await store.candidates(account=ACCOUNT.name, batches=[1], only=None, limit=9)
    assert job.spec.prompt == "Mug number 0"


async def test_a_changed_spec_replaces_one_that_was_never_sent(store: Store) -> None:
    await load(store, new_job(0))
    loaded = await load(store, new_job(0, prompt="Something else"), changed=Changed.REPLACE)
    assert loaded.replaced == ("job-0",)
    (job,) = await store.candidates(account=ACCOUNT.name, batches=[1], only=None, limit=9)
    assert job.spec.prompt == "Something else"
    assert await load(store, new_job(0, prompt="Something else")) == replace(loaded, replaced=(), added=0, known=1)


async def test_what_was_sent_is_never_replaced(store: Store) -> None:
    job = (await pending(store))[0]
    await verbs(store).claim(job, intent())
    with pytest.raises(ChangedSpecs, match="already sent"):
        await load(store, new_job(0, prompt="Something else"), changed=Changed.REPLACE)


async def test_order_and_priority_follow_the_file(store: Store) -> None:
    await load(store, new_job(0), new_job(1), new_job(2))
    await load(store, new_job(0, key="job-2", prompt="Mug number 2"), new_job(1), new_job(2, key="job-0", prompt="Mug number 0"))
    assert [story.job["key"] async for story in store.stories(1)] == ["job-2", "job-1", "job-0"]
    await load(store, new_job(0), new_job(1, priority=5), new_job(2))
    assert await keys(store) == ["job-1", "job-0", "job-2"]


async def test_two_rows_with_one_key_are_refused_by_the_database(store: Store) -> None:
    with pytest.raises(IntegrityError):
        await load(store, new_job(0), new_job(1, key="job-0"))


async def test_an_account_keeps_its_address_while_a_request_is_open(store: Store) -> None:
    await in_state(store, State.RUNNING)
    moved = replace(ACCOUNT, base_url="https://elsewhere.example")
    with pytest.raises(AccountInUse, match="studio"):
        await store.put_accounts([moved])
    await store.put_accounts([replace(ACCOUNT, concurrency=2)])
    assert (await store.accounts())[ACCOUNT.name].settings.concurrency == 2


async def test_settings_come_back_as_they_were(store: Store) -> None:
    await load(store, new_job(0))
    assert (await store.accounts())[ACCOUNT.name].settings == ACCOUNT


async def test_the_users_word_moves_exactly_the_jobs_it_names(store: Store) -> None:
    await load(store, new_job(0), new_job(1), new_job(2))
    stopped = await store.operators.cancel(Selection(keys=("job-0", "job-2")))
    assert [job.key for job in stopped] == ["job-0", "job-2"]
    assert await keys(store) == ["job-1"]
    assert [job.key for job in await store.operators.retry(Selection(keys=("job-[0-9]",)))] == ["job-0", "job-2"]
    assert await keys(store) == ["job-0", "job-1", "job-2"]
    history = (await store.story(1)).events
    assert [(event["event"], event["actor"]) for event in history] == [("cancelled", "user"), ("retried", "user")]


async def test_a_running_job_cannot_be_cancelled_by_a_word(store: Store) -> None:
    await in_state(store, State.RUNNING)
    assert await store.operators.cancel(Selection()) == []


@pytest.mark.parametrize(
    "state", [State.RUNNING, State.READY, State.DOWNLOADING, State.SUBMITTING, State.UNCERTAIN, State.SUCCEEDED]
)
async def test_nothing_that_may_be_paid_for_is_retried_by_a_word(store: Store, state: State) -> None:
    await in_state(store, state)
    assert await store.operators.retry(Selection()) == []


async def test_an_uncertain_job_can_be_adopted(store: Store) -> None:
    job = await in_state(store, State.UNCERTAIN)
    await store.operators.adopt(Selection(keys=(job.key,)), "task_77")
    (running,) = await store.in_state(State.RUNNING, batches=[1], after=0, limit=9)
    assert running.remote_id == "task_77"


@pytest.mark.parametrize(
    ("word", "state", "charged"),
    [("resubmit", "pending", "possible"), ("not_charged", "pending", "no"), ("give_up", "failed", "possible")],
)
async def test_an_uncertain_job_is_settled_by_the_users_word_and_the_books_keep_it(
    store: Store, word: str, state: str, charged: str
) -> None:
    await in_state(store, State.UNCERTAIN)
    await getattr(store.operators, word)(Selection())
    story = await store.story(1)
    assert story.job["state"] == state
    assert (story.attempts[0]["state"], story.attempts[0]["charged"]) == ("abandoned", charged)
    assert story.events[-1]["actor"] == "user"

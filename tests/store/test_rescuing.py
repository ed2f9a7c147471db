"""What is written about attempts that were left behind: only about those, once, and never over the winner."""

from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.jobs.lifecycle import State
from orchestrator.store.door import Stale
from orchestrator.store.operators import Selection
from orchestrator.store.records import Job
from orchestrator.store.rescuing import DoubleCostReached
from orchestrator.store.store import Store

from .making import delivery, in_state, saved, verbs


async def left_behind(store: Store) -> Job:
    job = await in_state(store, State.UNCERTAIN)
    await store.operators.resubmit(Selection())
    return job


@pytest.mark.parametrize("state", [State.UNCERTAIN, State.RUNNING, State.SUCCEEDED])
async def test_only_an_attempt_that_was_left_behind_gets_a_late_result(store: Store, state: State) -> None:
    job = await in_state(store, state)
    before = await store.story(job.id)
    with pytest.raises(Stale):
        await verbs(store).keep_late(job, 1, delivery())
    assert await store.story(job.id) == before


async def test_a_late_result_is_booked_and_numbered_behind_what_was_asked_for_and_moves_no_job(store: Store) -> None:
    job = await left_behind(store)
    (image,) = await verbs(store).keep_late(job, 1, delivery("https://f.example/late.png"))
    assert image.index == 1
    await verbs(store).save_extra(job, image, saved())
    story = await store.story(job.id)
    assert story.job["state"] == "pending"
    assert (story.attempts[0]["state"], story.attempts[0]["charged"]) == ("abandoned", "yes")
    assert story.attempts[0]["cost_settled"] == Decimal("0.03")
    assert [(row["state"], row["file"]) for row in story.images] == [("extra", "mugs/job-0-0.png")]
    assert (story.events[-1]["event"], story.events[-1]["source"], story.events[-1]["target"]) == (
        "late_result",
        "pending",
        "pending",
    )


async def test_what_a_provider_repeats_of_a_key_in_a_late_result_is_not_written_down(store: Store) -> None:
    job, told = await left_behind(store), delivery()
    accepted = replace(told.accepted, request_id="req of sk-live-0123456789")
    await verbs(store).keep_late(job, 1, replace(told, accepted=accepted, usage={"key": "sk-live-0123456789", "total_tokens": 7}))
    (attempt,) = (await store.story(job.id)).attempts
    assert (attempt["request_id"], attempt["usage"]) == ("req of ***", {"key": "***", "total_tokens": 7})


async def test_a_late_result_that_is_found_again_keeps_its_row_and_gets_a_fresh_link_until_it_is_saved(store: Store) -> None:
    job, go = await left_behind(store), verbs(store)
    await go.keep_late(job, 1, delivery("https://f.example/old.png"))
    (image,) = await go.keep_late(job, 1, delivery("https://f.example/new.png"))
    assert [row["url"] for row in (await store.story(job.id)).images] == ["https://f.example/new.png"]
    await go.save_extra(job, image, saved())
    await go.keep_late(job, 1, delivery("https://f.example/newest.png"))
    assert [(row["url"], row["file"]) for row in (await store.story(job.id)).images] == [(None, "mugs/job-0-0.png")]


async def test_an_attempt_is_remembered_until_it_has_brought_an_image(store: Store) -> None:
    job = await left_behind(store)
    doubts, now = store.doubts, 0.0
    assert [each.attempt_id for each in await doubts.left_behind([job.batch_id], since=now)] == [job.attempt_id]
    (image,) = await verbs(store).keep_late(job, 1, delivery())
    assert await doubts.left_behind([job.batch_id], since=now)
    await verbs(store).save_extra(job, image, saved())
    assert await doubts.left_behind([job.batch_id], since=now) == []


async def test_paying_again_by_policy_stops_before_the_ceiling_is_passed_and_changes_nothing(store: Store) -> None:
    job = await in_state(store, State.UNCERTAIN)
    before = await store.story(job.id)
    with pytest.raises(DoubleCostReached, match=r"\$0\.0400.*\$0\.03"):
        await verbs(store).resubmit(job, Decimal("0.03"))
    assert await store.story(job.id) == before
    again = await verbs(store).resubmit(job, Decimal("0.04"))
    assert again.state is State.PENDING
    story = await store.story(job.id)
    assert (story.attempts[0]["state"], story.attempts[0]["charged"]) == ("abandoned", "possible")
    assert (story.events[-1]["event"], story.events[-1]["actor"]) == ("resubmitted", "test")


async def test_paying_again_by_policy_comes_too_late_when_the_user_was_faster(store: Store) -> None:
    job = await in_state(store, State.UNCERTAIN)
    await store.operators.give_up(Selection())
    with pytest.raises(Stale):
        await verbs(store).resubmit(job, Decimal(1))
    assert (await store.story(job.id)).job["state"] == "failed"


async def test_an_attempt_that_cost_nothing_by_the_users_word_is_not_looked_for(store: Store) -> None:
    job = await in_state(store, State.UNCERTAIN)
    await store.operators.not_charged(Selection())
    assert await store.doubts.left_behind([job.batch_id], since=0.0) == []

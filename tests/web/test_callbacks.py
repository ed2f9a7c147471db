"""Calls make news faster and bring lost tasks home; they are never believed, and nothing depends on them."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.store.operators import Selection
from tests.clocks import JumpingClock
from tests.engine.bench import assert_whole, query
from tests.engine.conftest import OpenBench

from .calling import SECRET, assert_no_call_was_believed, assert_paid_once, fetches, free_port, jobs, run

PATIENT = {"uncertain_grace": "90s"}


TASKS = pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])


@TASKS
async def test_tasks_are_ready_through_their_calls_and_hardly_asked_for(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=20.0, jitter=0.5)
    assert (await run(bench, jobs(12))).exit_code == 0
    for row in bench.manifest():
        assert_whole(bench.out, row)
    assert len(bench.simulator.ledger.calls) == 12
    assert {call.status for call in bench.simulator.ledger.calls} == {200}
    assert max(fetches(bench).values()) <= 2, "one for the call, and one more"
    assert_no_call_was_believed(bench)


@TASKS
async def test_with_every_call_lost_all_is_done_as_ever(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=20.0, lost_call_rate=1.0)
    assert (await run(bench, jobs(8))).exit_code == 0
    assert bench.simulator.ledger.calls == []
    assert_paid_once(bench)


@TASKS
async def test_lost_answers_are_brought_home_by_their_calls(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, webhook_secret=SECRET, duration=8.0, lost_answer_rate=0.4, seed=5)
    assert (await run(bench, jobs(12))).exit_code == 0
    assert set(bench.states().values()) == {"succeeded"}
    lost = [submission for submission in bench.accepted() if submission.status is None]
    assert 2 <= len(lost) <= 10
    assert len(bench.named("task_adopted")) + len(bench.named("task_found")) >= len(lost)
    assert_paid_once(bench)
    assert_no_call_was_believed(bench)


async def test_a_run_waits_for_calls_only_as_long_as_they_may_come_and_says_so(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("ttapi-4o", duration=1.0, lose_answer_each=1, lost_call_rate=1.0, account=PATIENT)
    assert (await run(bench, jobs(3))).exit_code == 5
    assert set(bench.states().values()) == {"uncertain"}
    told = bench.named("awaiting_calls")
    assert [(event.facts["jobs"], event.facts["seconds"] > 80) for event in told] == [(3, True)]
    assert 90 <= clock.monotonic() <= 100


async def test_a_signal_ends_the_waiting_for_calls(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", lose_answer_each=1, lost_call_rate=1.0, account=PATIENT)

    def begun(runtime: Runtime, _board: Board) -> None:
        stopping.append(asyncio.create_task(stop(runtime)))

    async def stop(runtime: Runtime) -> None:
        await clock.sleep(30)
        runtime.drain()

    stopping: list[asyncio.Task[None]] = []
    assert (await run(bench, jobs(2), begun=begun)).exit_code == 75
    await stopping[0]
    assert clock.monotonic() < 40


async def test_the_users_word_beside_the_run_ends_the_waiting_too(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", lose_answer_each=1, lost_call_rate=1.0, account=PATIENT)

    def begun(_runtime: Runtime, _board: Board) -> None:
        giving_up.append(asyncio.create_task(give_up()))

    async def give_up() -> None:
        await clock.sleep(30)
        async with bench.app().store() as store:
            await store.operators.give_up(Selection())

    giving_up: list[asyncio.Task[None]] = []
    await run(bench, jobs(2), begun=begun)
    await giving_up[0]
    assert set(bench.states().values()) == {"failed"}
    assert clock.monotonic() < 40


async def test_a_call_that_beats_the_answer_adopts_and_the_answer_changes_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=1.0, latency=30.0)
    assert (await run(bench, jobs(4))).exit_code == 0
    assert len(bench.named("task_adopted")) == 4
    assert len(bench.named("old_news")) == 4
    assert_paid_once(bench)


async def test_a_call_that_beats_a_lost_answer_leaves_nothing_in_doubt(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=1.0, latency=30.0, lose_answer_each=1)
    assert (await run(bench, jobs(4))).exit_code == 0
    assert bench.named("job_uncertain") == []
    assert bench.attempts() == [("delivered", "yes")] * 4


async def test_late_repeated_and_shuffled_calls_have_no_effect_beyond_the_first(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, call_repeats=3, call_jitter=30.0)
    assert (await run(bench, jobs(10))).exit_code == 0
    assert_paid_once(bench)
    assert max(fetches(bench).values()) <= 2


async def test_a_task_that_failed_is_told_of_too(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, lose_answer_each=1, fail_rate=1.0)
    assert (await run(bench, jobs(3))).exit_code == 1
    assert set(bench.states().values()) == {"failed"}


async def test_a_second_paid_result_is_kept_as_an_extra_image(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench(
        "ttapi-4o", duration=60.0, lose_answer_each=1, call_again_after=5.0, account={"uncertain_grace": "5s"}
    )
    port = free_port()
    assert (await run(bench, jobs(1), port=port)).exit_code == 5
    async with bench.app().store() as store:
        await store.operators.resubmit(Selection())
    await clock.sleep(30)
    assert (await run(bench, port=port)).exit_code == 0
    (row,) = bench.manifest()
    assert row["state"] == "succeeded"
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["abandoned", "delivered"]
    assert [attempt["charged"] for attempt in row["attempts"]] == ["yes", "yes"]
    assert len(bench.named("late_result")) == 1
    extra = query(bench.database, "SELECT file FROM image WHERE state = 'extra'")
    assert len(extra) == 1
    assert (bench.out / extra[0][0]).is_file()


async def test_a_result_of_a_job_that_was_given_up_is_kept_too(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench(
        "ttapi-4o", duration=60.0, lose_answer_each=1, call_again_after=5.0, account={"uncertain_grace": "5s"}
    )
    port = free_port()
    await run(bench, [*jobs(1), {"id": "other", "prompt": "draw a cat"}], port=port)
    async with bench.app().store() as store:
        await store.operators.give_up(Selection(keys=("job-000",)))
        await store.operators.resubmit(Selection(keys=("other",)))
    await clock.sleep(20)
    assert (await run(bench, port=port)).exit_code in (0, 1)
    assert bench.states() == {"job-000": "failed", "other": "succeeded"}
    assert len(query(bench.database, "SELECT 1 FROM image WHERE state = 'extra'")) == 2


async def test_tokens_are_good_after_a_restart_and_calls_bring_home_what_an_earlier_run_lost(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("ttapi-4o", duration=1.0, lose_answer_each=1, call_again_after=60.0, account=PATIENT)
    port = free_port()
    assert (await run(bench, jobs(3), port=port, listen="none", begun=_draining(clock, 5))).exit_code == 75
    assert set(bench.states().values()) == {"uncertain"}
    assert (await run(bench, port=port)).exit_code == 0
    assert len(bench.named("task_adopted")) == 3
    assert_paid_once(bench)


def _draining(clock: JumpingClock, seconds: float) -> Callable[[Runtime, Board], None]:
    async def stop(runtime: Runtime) -> None:
        await clock.sleep(seconds)
        runtime.drain()

    def begun(runtime: Runtime, _board: Board) -> None:
        tasks.add(asyncio.create_task(stop(runtime)))

    tasks: set[asyncio.Task[None]] = set()
    return begun


async def test_a_stolen_token_brings_an_attempt_no_foreign_task(open_bench: OpenBench, clock: JumpingClock) -> None:
    """Somebody who read the paths sends each attempt another one's task, before any honest call."""
    bench = await open_bench("ttapi-4o", duration=30.0, lose_answer_each=1, lost_call_rate=1.0, account=PATIENT)
    port = free_port()

    async def steal() -> None:
        await clock.sleep(40)
        orders = bench.accepted()
        async with aiohttp.ClientSession() as session:
            for order, other in zip(orders, [*orders[1:], orders[0]], strict=True):
                body = {"status": "SUCCESS", "jobId": other.task_id, "data": {"imageUrl": "http://127.0.0.1:1/x.png"}}
                async with session.post(order.body["hookUrl"], json=body) as answer:
                    assert answer.status == 200

    thief: list[asyncio.Task[None]] = []
    finished = await run(bench, jobs(3), port=port, begun=lambda *_: thief.append(asyncio.create_task(steal())))
    await thief[0]
    assert finished.exit_code == 5
    assert set(bench.states().values()) == {"uncertain"}
    assert len({event.key for event in bench.named("callback_refused")}) == 3
    assert bench.simulator.ledger.downloads == []


async def test_openais_project_is_told_of_its_responses(open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch) -> None:
    key, port = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", free_port()
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", key)
    hooks = f"http://127.0.0.1:{port}/hooks/openai"
    bench = await open_bench("openai-responses", duration=20.0, webhook_secret=key, webhook_url=hooks)
    assert (await run(bench, jobs(4, size="1024x1024"), port=port)).exit_code == 0
    assert {call.status for call in bench.simulator.ledger.calls} == {200}


async def test_without_its_key_toapis_is_given_no_url_for_it_would_refuse_the_order(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOAPIS_WEBHOOK_SECRET")
    bench = await open_bench("toapis", duration=3.0)
    assert (await run(bench, jobs(2))).exit_code == 0
    assert all("callback_url" not in order.body for order in bench.accepted())


async def test_no_token_stands_in_the_store_the_events_or_the_manifest(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=3.0, lose_answer_each=1)
    assert (await run(bench, jobs(2))).exit_code == 0
    tokens = [str(order.body["hookUrl"]).rpartition("/")[2] for order in bench.accepted()]
    assert {len(token) for token in tokens} == {32}
    files = [file.read_bytes() for file in bench.folder.rglob("*") if file.is_file()]
    for token in tokens:
        assert not any(token.encode() in content for content in files)
        assert token not in repr(bench.events)
    key = bench.database.with_name("orchestrator.callback-key")
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)

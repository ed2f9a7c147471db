"""Requests sent again under the key of the first: only where the account says that its provider honours one."""

import asyncio

import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.simulator import Submission
from tests.clocks import JumpingClock

from .bench import assert_all_whole, picture, query, rows
from .conftest import OpenBench

BOTH = ["toapis", "openai-images"]
HEADER = "Idempotency-Key"
KEYED = {"idempotency_header": HEADER, "idempotency_ttl": "2h"}


@pytest.mark.parametrize("provider", BOTH)
async def test_under_a_key_that_the_provider_honours_every_lost_answer_is_had_again_for_nothing(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, lost_answer_rate=0.3, lookup=False, idempotency_header=HEADER, account=KEYED, seed=3)
    finished = await bench.run(rows(30))
    assert finished.exit_code == 0
    assert len(bench.lost()) > 3
    assert bench.outcomes().count("repeated") == len(bench.lost())
    assert len(bench.accepted()) == 30
    assert {submission.headers[HEADER.lower()] for submission in bench.accepted()} == {
        name for (name,) in query(bench.database, "SELECT id FROM attempt")
    }
    assert_all_whole(bench)


async def test_an_edit_with_files_goes_out_again_byte_for_byte(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-edits", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    reference = picture(bench.folder / "mug.png", 1)
    assert (await bench.run(rows(1, references=[str(reference)]))).exit_code == 0
    first, second = bench.simulator.ledger.submissions
    assert first.raw_sha256 == second.raw_sha256
    assert bench.outcomes() == ["accepted", "repeated"]


async def test_a_key_is_used_three_times_at_most_over_all_runs(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=9, idempotency_header=HEADER, account=KEYED)
    for _ in range(2):
        assert (await bench.run(rows(1))).exit_code == 5
    assert bench.outcomes() == ["accepted", "repeated", "repeated", "repeated"]
    assert bench.states() == {"job-000": "uncertain"}


async def test_a_key_is_not_used_beyond_half_its_life(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER)
    bench.account = {**KEYED, "idempotency_ttl": "60s"}
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    await clock.sleep(31)
    assert (await bench.resume()).exit_code == 5
    assert bench.outcomes() == ["accepted"]


@pytest.mark.slow
async def test_a_first_request_that_is_still_at_work_is_waited_for_under_the_same_key(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    (served,) = bench.simulator._gate._repeats._served.values()
    served.is_open = True

    async def end() -> None:
        await clock.sleep(100)
        served.is_open = False

    ending = asyncio.create_task(end())
    assert (await bench.resume()).exit_code == 0
    await ending
    assert bench.outcomes() == ["accepted", *["rejected"] * (len(bench.outcomes()) - 2), "repeated"]
    assert len(bench.outcomes()) > 2 + 3


async def test_a_request_that_would_differ_does_not_go_under_the_old_key(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    await bench.run(begun=_never_climbing)
    (bench.folder / "orchestrator.toml").write_text('[accounts.studio]\nparams = {quality = "low"}\n')
    assert (await bench.resume(config=bench.folder / "orchestrator.toml")).exit_code == 5
    assert bench.outcomes() == ["accepted"]


async def test_a_key_reused_with_another_body_is_held(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, idempotency_header=HEADER, account=KEYED)
    bench.write(rows(1))
    served = bench.simulator._gate._repeats._served

    def have_served_another_body() -> None:
        for each in served.values():
            each.body_sha256 = "of another body"

    def forget(_submission: Submission) -> None:
        asyncio.get_running_loop().call_soon(have_served_another_body)

    bench.simulator.on_accepted = forget
    assert (await bench.run()).exit_code == 5
    assert bench.outcomes() == ["accepted", "rejected"]
    assert "reused" in bench.named("job_held")[0].facts["reason"]


async def test_a_provider_that_honours_no_key_is_what_makes_the_header_dangerous(open_bench: OpenBench) -> None:
    """Who names a header says that it is honoured: the program cannot know."""
    bench = await open_bench("openai-images", lose_answer_each=1, account=KEYED)
    assert (await bench.run(rows(1))).exit_code == 0
    assert len(bench.accepted()) == 2


def _never_climbing(runtime: Runtime, _board: Board) -> None:
    for submitter in runtime._submitters:
        submitter.rescue = lambda _job: None

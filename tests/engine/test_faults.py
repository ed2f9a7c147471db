"""One fault at a time, over real sockets: what it costs, what becomes of the job, and what a later run does about it."""

import asyncio
from typing import Any

import pytest

from tests.clocks import JumpingClock

from .bench import KEYS, assert_all_whole, picture, rows
from .conftest import OpenBench
from .flaky import FlakyPolls, Spoil, cut, rubbish, status

BOTH = ["toapis", "openai-images"]
SEED_OF_ONE_ERROR = 1
"""Of two requests the first fails, at a rate of one half."""
SEED_OF_ONE_UPLOAD_ERROR = 1


# --- answers that are lost ----------------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_found_again_by_our_own_reference(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1)
    finished = await bench.run(rows(3))
    assert finished.exit_code == 0
    assert bench.outcomes() == ["accepted"] * 3
    assert_all_whole(bench)


@pytest.mark.parametrize("provider", BOTH)
async def test_a_lost_answer_that_cannot_be_found_is_held_and_not_sent_again_by_resume(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, lose_answer_each=1, lookup=False)
    finished = await bench.run(rows(1))
    assert finished.exit_code == 5
    assert bench.only()["error"]["code"] == "answer_lost"
    assert (await bench.resume()).exit_code == 5
    assert (await bench.run()).exit_code == 5
    assert bench.outcomes() == ["accepted"]
    assert bench.states() == {"job-000": "uncertain"}
    assert bench.attempts() == [("uncertain", "possible")]


@pytest.mark.parametrize("provider", BOTH)
async def test_an_error_after_the_body_was_sent_may_have_been_charged_and_is_held(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, error_after_rate=1.0, lookup=False)
    finished = await bench.run(rows(2))
    assert finished.exit_code == 5
    assert set(bench.states().values()) == {"uncertain"}
    assert {row["error"]["code"] for row in bench.manifest()} == {"server_error"}
    assert len(bench.simulator.ledger.submissions) == 2


@pytest.mark.parametrize("provider", BOTH)
async def test_an_error_that_the_account_calls_free_is_tried_again(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, account={"on_500": "retry"}, error_rate=0.5, seed=SEED_OF_ONE_ERROR)
    finished = await bench.run(rows(1))
    assert finished.exit_code == 0
    assert bench.outcomes() == ["error", "accepted"]
    assert_all_whole(bench)


# --- a provider that says no --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", BOTH)
async def test_an_empty_balance_pauses_the_account_and_a_later_run_goes_on(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, quota_after=3, account={"concurrency": 1})
    finished = await bench.run(rows(5))
    assert finished.exit_code == 4
    assert sorted(bench.states().values()) == ["pending"] * 2 + ["succeeded"] * 3
    assert list(await bench.app().paused_accounts()) == ["studio"]
    assert bench.outcomes() == ["accepted"] * 3 + ["rejected"]
    bench.simulator._gate.restart()  # the balance is filled up
    assert (await bench.resume()).exit_code == 0
    assert len(bench.accepted()) == 5
    assert_all_whole(bench)


@pytest.mark.parametrize("provider", BOTH)
async def test_a_refused_key_pauses_the_account_after_one_round(
    open_bench: OpenBench, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await open_bench(provider, key="sk-another", account={"concurrency": 2})
    finished = await bench.run(rows(20))
    assert finished.exit_code == 4
    assert set(bench.states().values()) == {"pending"}
    assert len(bench.outcomes()) <= 2
    for name in KEYS:
        monkeypatch.setenv(name, "sk-another")
    assert (await bench.resume()).exit_code == 0
    assert_all_whole(bench)


@pytest.mark.parametrize("provider", BOTH)
async def test_a_wrong_base_url_pauses_the_account_and_fails_no_job(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider)
    bench.account = {"base_url": f"{bench.simulator.base_url}/nowhere", "concurrency": 2}
    finished = await bench.run(rows(20))
    assert finished.exit_code == 4
    assert set(bench.states().values()) == {"pending"}
    bench.account = {}
    assert (await bench.run(rows(20))).exit_code == 0
    assert len(bench.accepted()) == 20


async def test_a_refused_prompt_fails_by_itself(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", fail_containing="number 1")
    finished = await bench.run(rows(3))
    assert finished.exit_code == 1
    assert list(bench.states().values()) == ["succeeded", "failed", "succeeded"]
    refused = bench.manifest()[1]
    assert (refused["error"]["code"], refused["error"]["provider_code"]) == ("refused", "moderation_blocked")
    assert (refused["attempts"][0]["outcome"], refused["attempts"][0]["charged"]) == ("refused", "no")
    assert (await bench.resume()).exit_code == 0
    assert len(bench.outcomes()) == 3


async def test_a_task_that_fails_is_failed_in_the_providers_words_and_not_paid_again(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", fail_containing="number 1")
    finished = await bench.run(rows(3))
    assert finished.exit_code == 1
    failed = bench.manifest()[1]
    assert failed["state"] == "failed"
    assert failed["error"]["provider_code"] == "generation_failed"
    assert failed["error"]["code"] == "refused"  # the upstream's 422 in the message says why
    assert (failed["attempts"][0]["outcome"], failed["attempts"][0]["charged"]) == ("failed", "possible")
    await bench.run()
    assert len(bench.accepted()) == 3


# --- results that come damaged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["truncate_download_rate", "html_download_rate"])
async def test_a_damaged_download_is_fetched_again_until_the_file_is_whole(open_bench: OpenBench, fault: str) -> None:
    rates: dict[str, Any] = {fault: 0.4}
    bench = await open_bench("toapis", seed=1, **rates)
    finished = await bench.run(rows(12))
    assert finished.exit_code == 0
    assert len(bench.simulator.ledger.downloads) > 12
    assert len(bench.accepted()) == 12
    assert_all_whole(bench)
    assert len(list(bench.out.glob("**/*.png"))) == 12


# --- a provider that is away --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("provider", BOTH)
async def test_a_provider_that_is_away_for_minutes_costs_neither_money_nor_doubt(
    open_bench: OpenBench, provider: str, clock: JumpingClock
) -> None:
    bench = await open_bench(provider)
    port = int(bench.simulator.base_url.rpartition(":")[2])
    await bench.simulator.stop()

    async def come_back() -> None:
        await clock.sleep(120)
        await bench.simulator.start(port=port)

    back = asyncio.create_task(come_back())
    finished = await bench.run(rows(10))
    await back
    assert finished.exit_code == 0
    assert len(bench.accepted()) == 10
    assert {outcome for outcome, _ in bench.attempts()} == {"not_sent", "delivered"}
    assert len(bench.attempts()) <= 10 + 30  # one knocks for all: not every job in turn
    assert_all_whole(bench)


@pytest.mark.parametrize("spoil", [status(500), status(503), status(429), status(404), rubbish, cut])
async def test_a_poll_that_fails_never_fails_a_job(open_bench: OpenBench, spoil: Spoil) -> None:
    bench = await open_bench("toapis")
    async with FlakyPolls(bench.simulator.url_for("toapis"), spoil, times=3) as gateway:
        bench.account = {"base_url": gateway.base_url}
        finished = await bench.run(rows(4))
        assert gateway.spoilt == 4 * 3
    assert finished.exit_code == 0
    assert len(bench.accepted()) == 4
    assert_all_whole(bench)


async def test_a_status_word_that_no_document_lists_is_waited_out(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", unknown_status=True)
    assert (await bench.run(rows(2))).exit_code == 0
    assert_all_whole(bench)


async def test_an_upload_that_fails_costs_nothing_and_is_tried_again(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", upload_error_rate=0.5, seed=SEED_OF_ONE_UPLOAD_ERROR)
    reference = picture(bench.folder / "mug.png", 1)
    assert (await bench.run(rows(1, references=[str(reference)]))).exit_code == 0
    assert len(bench.simulator.ledger.uploads) == 1
    assert bench.only()["attempts"][0]["number"] == 1
    assert bench.attempts() == [("delivered", "yes")]


@pytest.mark.slow
async def test_no_more_tasks_are_out_than_the_account_allows(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={"outstanding": 3, "concurrency": 2}, duration=10, latency=0.1)
    assert (await bench.run(rows(12))).exit_code == 0
    accepted = [submission.monotonic for submission in bench.accepted()]
    for moment in accepted:
        assert sum(moment - 10 < other <= moment for other in accepted) <= 3

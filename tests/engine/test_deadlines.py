"""Results die: they are fetched before that, asked for again after it, and never ordered faster than they can be fetched."""

from collections import Counter

import pytest

from tests.clocks import FastClock

from .bench import assert_whole, rows
from .conftest import OpenBench

OK = 200


@pytest.mark.slow
async def test_links_that_died_are_asked_for_again_and_nothing_is_lost(open_bench: OpenBench) -> None:
    bench = await open_bench(
        "toapis",
        clock=FastClock(3.0),
        url_life=3,
        download_delay=0.7,
        expired_download=True,
        latency=0.05,
        duration=1,
        jitter=0.5,
    )
    finished = await bench.run(rows(200))
    assert finished.exit_code == 0
    for row in bench.manifest():
        assert_whole(bench.out, row)
    ledger = bench.simulator.ledger
    assert max(ledger.charged_prompts().values()) == 1
    dead = sum(1 for download in ledger.downloads if download.status != OK)
    asked_again = Counter(poll.task_id for poll in ledger.polls if poll.status == "completed")
    assert dead >= 200  # the first link of every task
    assert sum(count - 1 for count in asked_again.values()) == dead
    assert all(count >= 2 for count in asked_again.values())


@pytest.mark.slow
async def test_submission_holds_back_so_that_no_result_gets_half_its_life_old(open_bench: OpenBench) -> None:
    bench = await open_bench(
        "openai-images",
        clock=FastClock(6.0),
        account={"url_lifetime": "20s", "concurrency": 8},
        result="url",
        url_life=20,
        download_rate=5,
        latency=1.0,
    )
    finished = await bench.run(rows(400))
    assert finished.exit_code == 0
    downloads = bench.simulator.ledger.downloads
    assert {download.status for download in downloads} == {OK}
    assert max(download.age or 0.0 for download in downloads) <= 10.0
    assert set(bench.states().values()) == {"succeeded"}
    for row in bench.manifest():
        assert_whole(bench.out, row)


async def test_a_result_that_nobody_can_ask_for_again_is_expired_and_never_paid_twice(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", result="url", expired_download=True)
    finished = await bench.run(rows(1))
    assert finished.exit_code == 1
    (row,) = bench.manifest()
    assert (row["state"], row["error"]["code"]) == ("expired", "result_expired")
    assert (row["attempts"][-1]["outcome"], row["attempts"][-1]["charged"]) == ("lost", "yes")
    await bench.run()
    assert len(bench.accepted()) == 1

"""Several batches share an account by weight, nobody starves, and a paused account is nobody else's trouble."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.clocks import JumpingClock

from .bench import Bench, Row, rows
from .conftest import OpenBench

MINUTE = 61.0


async def store(bench: Bench, name: str, jobs: list[Row], weight: int = 1) -> None:
    """Store a batch and send nothing."""
    bench.write([{**row, "prompt": f"{name} {row['prompt']}"} for row in jobs])
    batch: dict[str, Any] = json.loads(bench.file.read_text(encoding="utf-8"))
    bench.file.write_text(json.dumps({**batch, "batch": name, "weight": weight}), encoding="utf-8")
    await bench.run(limit=0)


def senders(bench: Bench) -> list[str]:
    """Return the batch of each accepted request, in order."""
    return [str(submission.prompt).partition(" ")[0] for submission in bench.accepted()]


def jain(shares: list[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


async def test_batches_share_an_account_by_weight(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"concurrency": 4})
    weights = {"red": 1, "green": 1, "blue": 2}
    for name, weight in weights.items():
        await store(bench, name, rows(40), weight)
    assert (await bench.resume()).exit_code == 0
    first = Counter(senders(bench)[:80])
    assert jain([first[name] / weight for name, weight in weights.items()]) >= 0.95


async def test_a_small_batch_behind_a_large_one_begins_at_once(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"concurrency": 2})
    await store(bench, "large", rows(600))
    await store(bench, "small", rows(5))
    await bench.resume(limit=20)
    assert senders(bench)[:6].count("small") >= 2
    assert senders(bench).count("small") == 5


async def test_within_a_batch_the_urgent_go_first_and_the_others_are_not_forgotten(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"concurrency": 1})
    jobs = [{**row, "priority": number % 2} for number, row in enumerate(rows(10))]
    await store(bench, "mixed", jobs)
    await store(bench, "other", rows(10))
    await bench.resume()
    mixed = [str(submission.prompt) for submission in bench.accepted() if str(submission.prompt).startswith("mixed")]
    assert [int(prompt.rpartition(" ")[2]) % 2 for prompt in mixed] == [1] * 5 + [0] * 5
    assert senders(bench)[:10].count("other") in (4, 5, 6)


@pytest.mark.slow
@pytest.mark.parametrize("status", ["quota", "throttled"])
async def test_an_account_that_stands_still_never_blocks_another(open_bench: OpenBench, clock: JumpingClock, status: str) -> None:
    trouble: dict[str, Any] = {"quota_after": 0} if status == "quota" else {"throttle_first": 1, "retry_after": "120"}
    still = await open_bench("toapis", **trouble)
    quick = await open_bench("openai-images")
    still.write(rows(3))
    batch = json.loads(still.file.read_text(encoding="utf-8"))
    batch["accounts"]["other"] = {"provider": "openai-images", "base_url": quick.simulator.url_for("openai-images")}
    other = {"account": "other", "model": "gpt-image-2", "size": "1024x1024"}
    batch["jobs"] += [{"id": f"quick-{number}", "prompt": f"quick {number}", **other} for number in range(6)]
    still.file.write_text(json.dumps(batch), encoding="utf-8")
    begun = clock.monotonic()
    await still.run()
    assert len(quick.accepted()) == 6
    assert max(submission.monotonic for submission in quick.accepted()) - begun < 10.0


@pytest.mark.slow
async def test_small_jobs_fill_what_a_large_one_leaves_of_a_minute(open_bench: OpenBench) -> None:
    account = {"concurrency": 8, "ipm": 5}
    bench = await open_bench("openai-images", account=account, ipm=5, limiter="sliding")
    jobs = [{**row, "n": 4 if number < 5 else 1} for number, row in enumerate(rows(10))]
    assert (await bench.run(jobs)).exit_code == 0
    seconds = bench.accepted()[-1].monotonic - bench.accepted()[0].monotonic
    assert seconds <= 5 * MINUTE  # in the order of the file it takes a minute longer


@pytest.mark.slow
async def test_minutes_are_filled_with_large_jobs_first_so_that_small_ones_are_left_for_the_gaps(open_bench: OpenBench) -> None:
    account = {"concurrency": 8, "ipm": 5}
    bench = await open_bench("openai-images", account=account, ipm=5, limiter="sliding")
    jobs = [{**row, "n": 1 + number % 4} for number, row in enumerate(rows(30))]
    assert (await bench.run(jobs)).exit_code == 0
    seconds = bench.accepted()[-1].monotonic - bench.accepted()[0].monotonic
    assert seconds <= 15 * MINUTE  # in the order of the file, with gaps filled at random, it takes one more


@pytest.mark.slow
async def test_a_small_job_is_passed_by_for_a_minute_at_most(open_bench: OpenBench) -> None:
    account = {"concurrency": 8, "ipm": 5}
    bench = await open_bench("openai-images", account=account, ipm=5, limiter="sliding")
    jobs = [{**row, "n": 1 if number == 4 else 2} for number, row in enumerate(rows(14))]
    assert (await bench.run(jobs)).exit_code == 0
    order = [submission.prompt for submission in bench.accepted()]
    assert order.index(jobs[4]["prompt"]) <= 8


@pytest.mark.slow
async def test_who_goes_before_others_counts_towards_the_limit_of_a_run(open_bench: OpenBench) -> None:
    account = {"concurrency": 8, "ipm": 5}
    bench = await open_bench("openai-images", account=account, ipm=5, limiter="sliding")
    jobs = [{**row, "n": 1 + number % 4} for number, row in enumerate(rows(30))]
    await bench.run(jobs, limit=8)
    assert len(bench.accepted()) == 8

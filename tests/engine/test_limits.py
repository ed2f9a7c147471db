"""What an account allows is used to the full and not fought, whatever way its provider counts."""

import asyncio
from collections.abc import Sequence

import pytest

from orchestrator.engine.keeping import STUCK
from orchestrator.jobs.places import BadInput

from .bench import Bench, Row, query, rows
from .conftest import OpenBench

MINUTE = 60.0
LIMITERS = ["bucket", "fixed", "sliding"]
ROOM = {"concurrency": 32}


def mixed(count: int) -> list[Row]:
    """Return jobs for one to four images each."""
    return [{**row, "n": 1 + number % 4} for number, row in enumerate(rows(count))]


def throttled(bench: Bench) -> list[float]:
    """Return when the provider refused for too much, in seconds since the first request."""
    submissions = bench.simulator.ledger.submissions
    return [each.monotonic - submissions[0].monotonic for each in submissions if each.outcome == "throttled"]


def seconds_of(bench: Bench) -> float:
    """Return the seconds from the first to the last accepted request."""
    accepted = bench.accepted()
    return accepted[-1].monotonic - accepted[0].monotonic


def images_of(jobs: Sequence[Row]) -> int:
    return sum(job.get("n", 1) for job in jobs)


@pytest.mark.slow
@pytest.mark.parametrize("limiter", LIMITERS)
async def test_images_per_minute_are_paced_without_a_refusal_after_the_first_minute(open_bench: OpenBench, limiter: str) -> None:
    bench = await open_bench("openai-images", account={**ROOM, "ipm": 10}, ipm=10, limiter=limiter, latency=1.0)
    jobs = mixed(16)
    assert (await bench.run(jobs)).exit_code == 0
    assert [at for at in throttled(bench) if at > MINUTE] == []
    ideal = (images_of(jobs) - 10) / 10 * MINUTE
    assert seconds_of(bench) <= ideal / 0.9


@pytest.mark.slow
@pytest.mark.parametrize("limiter", LIMITERS)
async def test_requests_per_minute_are_learned_from_headers(open_bench: OpenBench, limiter: str) -> None:
    bench = await open_bench("openai-images", account=ROOM, rpm=40, burst=40, limiter=limiter, latency=0.5)
    assert (await bench.run(rows(100))).exit_code == 0
    assert [at for at in throttled(bench) if at > MINUTE] == []
    assert seconds_of(bench) <= 2 * MINUTE / 0.9


@pytest.mark.slow
async def test_an_unannounced_limit_is_found(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account=ROOM, ipm=20, limiter="sliding", latency=0.5)
    assert (await bench.run(rows(90))).exit_code == 0
    late = [each.monotonic - bench.accepted()[0].monotonic for each in bench.accepted()]
    assert len([at for at in late if at < 3 * MINUTE]) >= 0.9 * 60
    assert len([at for at in throttled(bench) if at > 3 * MINUTE]) <= 4


@pytest.mark.slow
async def test_a_limit_named_in_the_refusal_is_believed(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={**ROOM, "rpm": 30}, rpm=30, burst=5, limiter="bucket")
    assert (await bench.run(rows(45))).exit_code == 0
    assert len(throttled(bench)) <= 2 * ROOM["concurrency"]
    assert [at for at in throttled(bench) if at > MINUTE] == []


@pytest.mark.slow
async def test_what_was_learned_outlives_the_run(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={**ROOM, "ipm": 6}, ipm=6, limiter="sliding")
    await bench.run(rows(14))
    first = len(throttled(bench))
    assert first >= 1
    bench.write(rows(28))
    await bench.run()
    assert len(throttled(bench)) == first


@pytest.mark.slow
async def test_what_was_sent_before_a_restart_is_counted_after_it(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={**ROOM, "ipm": 5}, ipm=5)
    for number in range(1, 5):
        await bench.run(rows(12), limit=3 if number < 4 else None)
    assert throttled(bench) == []


async def test_a_gate_that_an_earlier_run_closed_stays_closed_for_new_jobs(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", throttle_first=1, retry_after="90")
    run = asyncio.create_task(bench.run(rows(1)))
    async with asyncio.timeout(20):
        while not (bench.named("job_postponed") and gate_is_kept(bench)):  # noqa: ASYNC110 - the run is a task of this very loop
            await asyncio.sleep(0.003)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    refused_at = bench.simulator.ledger.submissions[0].monotonic
    await bench.run(rows(3))
    assert min(each.monotonic for each in bench.accepted()) - refused_at >= 90.0


def gate_is_kept(bench: Bench) -> bool:
    return bool(query(bench.database, "SELECT 1 FROM account WHERE gate_streak > 0"))


@pytest.mark.slow
async def test_a_gate_that_stays_closed_is_told_with_what_to_review(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={"rpm": 50}, throttle_first=9)
    await bench.run(rows(1))
    told = bench.named("gate_stays_closed")
    assert len(told) == 1
    assert told[0].facts["seconds"] >= STUCK
    assert "rpm 50" in told[0].facts["message"]
    assert "quota" in told[0].facts["message"]


async def test_slots_come_back_one_by_one_after_the_gate_opens(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"concurrency": 8}, throttle_first=8, latency=5.0)
    await bench.run(rows(12))
    accepted = [each.monotonic for each in bench.accepted()]
    assert accepted[1] - accepted[0] >= 5.0
    assert accepted[3] - accepted[1] >= 5.0


@pytest.mark.slow
async def test_retry_after_is_never_undercut(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account=ROOM, rpm=60, burst=3, retry_after="5", announces=False)
    await bench.run(rows(40))
    submissions = bench.simulator.ledger.submissions
    shut = [each.monotonic for each in submissions if each.outcome == "throttled"]
    early = [each for each in submissions if any(at < each.monotonic < at + 5.0 for at in shut)]
    burst = [each for each in early if each.monotonic - submissions[0].monotonic < 1.0]
    assert early == burst


async def test_more_images_than_a_minute_allows_are_refused_with_their_place(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", account={"ipm": 3})
    with pytest.raises(BadInput, match=r"n must be at most 3.*ipm"):
        await bench.run(rows(1, n=4))
    assert bench.simulator.ledger.submissions == []

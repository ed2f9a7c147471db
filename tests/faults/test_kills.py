"""kill -9, again and again in a batch: nothing is paid twice, and what cannot be known is named."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestrator.manifest import Form
from tests.clocks import FastClock
from tests.engine.bench import Bench, Row, assert_whole, picture, read_lines, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import Engine, Killer

pytestmark = pytest.mark.faults

SLOTS = 4
SPEED = 15.0
"""Virtual seconds per second: a look-up that finds nothing is repeated for a minute."""
LATENCY = 0.03 * SPEED
"""Virtual seconds; an aimed kill comes 0 to 40 ms after acceptance, so before, at and after the answer."""
ACCOUNT = {"concurrency": SLOTS, "outstanding": 300}


@dataclass(frozen=True, kw_only=True)
class Slaughter:
    """How many kills over how many jobs."""

    kills: int
    jobs: int


SHORT = Slaughter(kills=5, jobs=150)
USUAL = Slaughter(kills=20, jobs=300)
LONG = Slaughter(kills=200, jobs=2000)


def jobs_for(provider: str, folder: Path, jobs: int) -> list[Row]:
    if provider != "openai-edits":
        return rows(jobs)
    return rows(jobs, references=[str(picture(folder / "reference.png", 1))])


async def killed_and_resumed(bench: Bench, jobs: list[Row], kills: int, seed: int) -> dict[str, Any]:
    """Run a batch that is killed again and again, and then to its end; return how it says it ended."""
    random = Random(seed)
    bench.write(jobs)
    killer = Killer(bench=bench, random=random)
    for number in range(kills):
        engine = await Engine.start(bench, "resume" if number % 2 else "run", seed=random.randrange(2**32))
        # A kill before the first byte leaves a job that is in doubt and never accepted: so many are left out of the count.
        accepted = (number + 1) * (len(jobs) - kills) // (kills + 2) + random.randrange(min(10, len(jobs) // kills))
        await killer.strike(engine, accepted=accepted, aimed=number % 2 == 0)
    assert killer.kills == kills
    return await (await Engine.start(bench, "resume", seed=random.randrange(2**32))).ended()


def assert_accounted_for(bench: Bench, jobs: list[Row], kills: int) -> list[Row]:
    """Hold the manifest against the simulator's ledger; return the rows in doubt."""
    charged = bench.simulator.ledger.charged_prompts()
    assert {prompt: count for prompt, count in charged.items() if count > 1} == {}
    manifest = bench.manifest()
    assert [row["key"] for row in manifest] == [job["id"] for job in jobs]
    uncertain = [row for row in manifest if row["state"] == "uncertain"]
    for row in manifest:
        if row not in uncertain:
            assert charged[row["prompt"]] == 1, f"{row['key']} is {row['state']} and was never charged"
            assert_whole(bench.out, row)
    files = {path.relative_to(bench.out).as_posix() for path in bench.out.glob("*/*.png")}
    assert files == {image["file"] for row in manifest for image in row["images"]}
    assert len(uncertain) <= kills * SLOTS
    assert {row["attempts"][-1]["client_ref"] for row in uncertain} & bench.answers() == set()  # an answer on disk is no doubt
    return uncertain


def assert_named(row: Row, cost: Decimal | None) -> None:
    """Check that a job in doubt says what it may have cost, and why."""
    assert (row["attempts"][-1]["outcome"], row["attempts"][-1]["charged"]) == ("uncertain", "possible")
    assert row["error"]["code"] == "worker_lost"
    assert row["images"] == []
    estimated = row["cost"]["estimated"]
    assert (estimated is not None and Decimal(estimated) >= cost) if cost is not None else estimated is None
    assert row["cost"]["actual"] is None


async def loses_nothing(open_bench: OpenBench, size: Slaughter) -> None:
    """Check a task API whose tasks can be found by our own reference."""
    bench = await open_bench(
        "toapis", clock=FastClock(SPEED), account=ACCOUNT, lookup=True, latency=LATENCY, duration=0.5, jitter=0.5
    )
    jobs = jobs_for("toapis", bench.folder, size.jobs)
    ended = await killed_and_resumed(bench, jobs, size.kills, seed=1)
    for row in assert_accounted_for(bench, jobs, size.kills):  # a request that never left cannot be told from one that was lost
        assert bench.simulator.ledger.charged_prompts()[row["prompt"]] == 0
        assert_named(row, None)
    assert ended["exit_code"] in (0, 5)


async def holds_and_names(open_bench: OpenBench, provider: str, size: Slaughter) -> None:
    """Check an API that shows nothing of a submission whose answer was lost."""
    bench = await open_bench(
        provider, clock=FastClock(SPEED), account=ACCOUNT, lookup=False, latency=LATENCY, duration=0.5, jitter=0.5
    )
    jobs = jobs_for(provider, bench.folder, size.jobs)
    ended = await killed_and_resumed(bench, jobs, size.kills, seed=2)
    uncertain = assert_accounted_for(bench, jobs, size.kills)
    assert uncertain  # every kill hit an open submission
    for row in uncertain:
        assert_named(row, None if provider == "toapis" else Decimal("0.001"))
    assert ended == {"ending": "over", "exit_code": 5}


@pytest.mark.slow
async def test_a_task_api_with_lookup_loses_nothing_to_twenty_kills(open_bench: OpenBench) -> None:
    await loses_nothing(open_bench, USUAL)


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "size"), [("toapis", SHORT), ("openai-images", USUAL), ("openai-edits", SHORT)])
async def test_what_kills_put_in_doubt_is_held_and_named_with_its_cost(
    open_bench: OpenBench, provider: str, size: Slaughter
) -> None:
    await holds_and_names(open_bench, provider, size)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_task_api_with_lookup_loses_nothing_to_two_hundred_kills(open_bench: OpenBench) -> None:
    await loses_nothing(open_bench, LONG)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_what_two_hundred_kills_put_in_doubt_is_held_and_named(open_bench: OpenBench, provider: str) -> None:
    await holds_and_names(open_bench, provider, LONG)


async def test_a_batch_goes_on_without_its_file(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", clock=FastClock(SPEED), account=ACCOUNT, latency=LATENCY)
    jobs = rows(40)
    bench.write(jobs)
    engine = await Engine.start(bench, "run")
    await Killer(bench=bench, random=Random(3)).strike(engine, accepted=20, aimed=True)
    bench.file.unlink()
    await bench.resume()
    exported = bench.folder / "exported.jsonl"
    assert await bench.app().export("spring", Form.JSONL, exported) == 40
    assert [row["key"] for row in read_lines(exported)] == [job["id"] for job in jobs]
    assert {row["state"] for row in read_lines(exported)} <= {"succeeded", "uncertain"}

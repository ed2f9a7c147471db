"""kill -9, five times in a batch: nothing is paid twice, and what cannot be known is named."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestrator.manifest import Form
from tests.clocks import FastClock

from .bench import Bench, Row, assert_whole, picture, read_lines, rows
from .conftest import OpenBench
from .processes import Engine, Killer

JOBS = 300
KILLS = 5
SLOTS = 4
SPEED = 15.0
"""Virtual seconds per second: a look-up that finds nothing is repeated for a minute."""
LATENCY = 0.03 * SPEED
"""Virtual seconds; an aimed kill comes 0 to 40 ms after acceptance, so before, at and after the answer."""
ACCOUNT = {"concurrency": SLOTS, "outstanding": JOBS}


def jobs_for(provider: str, folder: Path) -> list[Row]:
    if provider != "openai-edits":
        return rows(JOBS)
    return rows(JOBS, references=[str(picture(folder / "reference.png", 1))])


async def killed_and_resumed(bench: Bench, jobs: list[Row], seed: int) -> dict[str, Any]:
    """Run a batch that is killed again and again, and then to its end; return how it says it ended."""
    random = Random(seed)
    bench.write(jobs)
    killer = Killer(bench=bench, random=random)
    actions = ["run", "resume", "run", "resume", "run"]
    for number, action in enumerate(actions):
        engine = await Engine.start(bench, action, seed=random.randrange(2**32))
        accepted = (number + 1) * JOBS // (KILLS + 2) + random.randrange(10)
        await killer.strike(engine, accepted=accepted, aimed=number % 2 == 0)
    assert killer.kills == KILLS
    return await (await Engine.start(bench, "resume", seed=random.randrange(2**32))).ended()


def assert_accounted_for(bench: Bench, jobs: list[Row]) -> list[Row]:
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
    assert len(uncertain) <= KILLS * SLOTS
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


@pytest.mark.slow
async def test_a_task_api_with_lookup_loses_nothing_to_five_kills(open_bench: OpenBench) -> None:
    bench = await open_bench(
        "toapis", clock=FastClock(SPEED), account=ACCOUNT, lookup=True, latency=LATENCY, duration=0.5, jitter=0.5
    )
    jobs = jobs_for("toapis", bench.folder)
    ended = await killed_and_resumed(bench, jobs, seed=1)
    for row in assert_accounted_for(bench, jobs):  # a request that never left cannot be told from one that was lost
        assert bench.simulator.ledger.charged_prompts()[row["prompt"]] == 0
        assert_named(row, None)
    assert ended["exit_code"] in (0, 5)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["toapis", "openai-images", "openai-edits"])
async def test_what_five_kills_put_in_doubt_is_held_and_named_with_its_cost(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(
        provider, clock=FastClock(SPEED), account=ACCOUNT, lookup=False, latency=LATENCY, duration=0.5, jitter=0.5
    )
    jobs = jobs_for(provider, bench.folder)
    ended = await killed_and_resumed(bench, jobs, seed=2)
    uncertain = assert_accounted_for(bench, jobs)
    assert uncertain  # every kill hit an open submission
    for row in uncertain:
        assert_named(row, None if provider == "toapis" else Decimal("0.001"))
    assert ended == {"ending": "over", "exit_code": 5}


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

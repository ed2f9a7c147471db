"""The power goes at many moments of a run (reliability.md e, F2): what was told to be safe is safe, and nothing is paid twice.

The same cuts with a store that does not wait for the disk must go wrong: else these tests would be blind.
"""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from tests.clocks import FastClock
from tests.engine.bench import Bench, Row, query, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import RUNNER, Engine

from .power import ENDINGS, NEEDS_STRACE, Change, Disk, changes, recorder
from .verdict import assert_named

pytestmark = [pytest.mark.faults, NEEDS_STRACE]

SPEED = 30.0
SLOTS = 4
JOBS = 60
CARELESS = (sys.executable, "-m", "tests.faults.careless")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One run with every write to its store, and the moment of each charge."""

    bench: Bench
    before: Mapping[str, bytes]
    """The store's file before the first of the writes: the batch is stored, and nothing sent."""
    changes: Sequence[Change]
    charges: Sequence[tuple[float, str]]
    """Unix seconds and prompt."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What a power cut came to."""

    doubles: int
    """Jobs that were paid before it and again after it."""
    held: int


async def recorded(open_bench: OpenBench, jobs: int, program: Sequence[str]) -> Recorded:
    bench = await open_bench("toapis", clock=FastClock(SPEED), account={"concurrency": SLOTS}, latency=0.05 * SPEED, lookup=False)
    await bench.run(rows(jobs), limit=0)
    before = {str(bench.database): bench.database.read_bytes()}
    charges: list[tuple[float, str]] = []
    bench.simulator.on_accepted = lambda submission: charges.append((time.time(), str(submission.prompt)))
    log = bench.folder / "writes.log"
    engine = await Engine.start(bench, "run", program=(*recorder(log, bench.database), *program))
    assert (await engine.ended())["exit_code"] == 0
    bench.simulator.on_accepted = None
    return Recorded(bench=bench, before=before, changes=list(changes(log)), charges=charges)


async def cut(run: Recorded, number: int, random: Random) -> Damage:
    """Cut the power 0 to 20 ms after a charge, go on with what the disk has then, and hold both halves against each other."""
    moment = random.choice(run.charges)[0] + random.uniform(0.0, 0.02)
    disk = Disk(run.before)
    for change in run.changes:
        if change.at > moment:
            break
        disk.apply(change)
    bench = after(run.bench, disk, run.bench.folder / f"cut-{number}", random)
    known = len(bench.accepted())
    await bench.run()
    assert query(bench.database, "PRAGMA integrity_check") == [("ok",)]
    before = {prompt for at, prompt in run.charges if at <= moment}
    again = Counter(str(submission.prompt) for submission in bench.accepted()[known:])
    assert max(again.values(), default=0) <= 1
    manifest = bench.manifest()
    assert len(manifest) == len(run.charges)
    held = [row for row in manifest if row["state"] == "uncertain"]
    assert_whole_or_named(bench.out, manifest)
    return Damage(doubles=len(before & again.keys()), held=len(held))


def after(bench: Bench, disk: Disk, folder: Path, random: Random) -> Bench:
    """Return a bench whose store is what the disk has after the cut; images that were saved by then are there, or come again."""
    folder.mkdir()
    remains = disk.lose_power(random)
    for ending in ENDINGS:
        if (path := f"{bench.database}{ending}") in remains:
            (folder / f"orchestrator.db{ending}").write_bytes(remains[path])
    shutil.copytree(bench.out, folder / "results")
    shutil.copy(bench.file, folder / bench.file.name)
    return replace(bench, folder=folder)


def assert_whole_or_named(out: Path, manifest: list[Row]) -> None:
    for row in manifest:
        if row["state"] == "uncertain":
            assert_named(row)
        else:
            assert row["state"] == "succeeded"
            assert all((out / image["file"]).is_file() for image in row["images"])


async def damages(run: Recorded, cuts: int, seed: int) -> list[Damage]:
    random = Random(seed)
    return [await cut(run, number, random) for number in range(cuts)]


async def test_a_power_cut_loses_nothing_that_was_committed_and_pays_nothing_twice(open_bench: OpenBench) -> None:
    run = await recorded(open_bench, 12, RUNNER)
    found = await damages(run, 2, seed=1)
    assert sum(damage.doubles for damage in found) == 0
    assert max(damage.held for damage in found) <= SLOTS


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_power_cuts_pay_nothing_twice(open_bench: OpenBench) -> None:
    run = await recorded(open_bench, JOBS, RUNNER)
    found = await damages(run, 100, seed=2)
    assert sum(damage.doubles for damage in found) == 0
    assert max(damage.held for damage in found) <= SLOTS
    sys.stdout.write(f"{sum(damage.held for damage in found)} held in {len(found)} cuts\n")


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_the_same_cuts_go_wrong_without_waiting_for_the_disk(open_bench: OpenBench) -> None:
    run = await recorded(open_bench, JOBS, CARELESS)
    found = await damages(run, 20, seed=2)
    assert sum(damage.doubles for damage in found) > len(found)
    sys.stdout.write(f"{sum(damage.doubles for damage in found)} paid twice in {len(found)} cuts\n")

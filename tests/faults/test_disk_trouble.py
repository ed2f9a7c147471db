"""Disks that fill up, fail or turn read-only: spending stops first, what is paid for is kept, and a later run does the rest."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.app import CannotStart
from orchestrator.store import opening
from tests.clocks import FastClock
from tests.engine.bench import Bench, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import Engine, until

from .disks import NEEDS_MOUNT, small_disk
from .verdict import assert_all_done, assert_fair
from .victims import start

pytestmark = pytest.mark.faults

SPEED = 15.0
BOTH = ["toapis", "openai-images"]
SLOTS = 4
ACCOUNT = {"concurrency": SLOTS, "min_free": "1KB"}
JOBS = 40
WAVES = 4 * SLOTS
"""Jobs that take more than six commits, however many changes share one."""


async def open_fast(open_bench: OpenBench, provider: str, **options: object) -> Bench:
    return await open_bench(provider, clock=FastClock(SPEED), account=ACCOUNT, **options)


@asynccontextmanager
async def locked(bench: Bench) -> AsyncIterator[None]:
    """Hold the store's write lock, as another program would, once a transaction of this very loop has come to its end."""
    with closing(sqlite3.connect(bench.database, isolation_level=None, timeout=0)) as other:
        await until(lambda: _begun(other))
        yield
        other.execute("ROLLBACK")


def _begun(other: sqlite3.Connection) -> bool:
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@NEEDS_MOUNT
@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("after", [1, 7, 20])
async def test_a_disk_that_fills_up_stops_spending_and_the_next_run_finishes(
    open_bench: OpenBench, tmp_path: Path, provider: str, after: int
) -> None:
    bench = await open_fast(open_bench, provider, latency=0.02 * SPEED)
    with small_disk(tmp_path / "disk", "32m") as disk:
        bench = replace(bench, folder=disk.path)
        bench.write(rows(JOBS))
        engine = await Engine.start(bench, "run")
        await until(lambda: len(bench.accepted()) >= after)
        disk.fill()
        filled_at = time.monotonic() * SPEED
        assert await engine.ended() == {"ending": "paused", "exit_code": 4}
        assert max(submission.monotonic for submission in bench.accepted()) < filled_at + 2.0 * SPEED
        disk.relieve()
        await bench.run()
        assert_fair(bench, rows(JOBS), uncertain=range(SLOTS + 1))


@NEEDS_MOUNT
async def test_too_little_room_for_one_more_answer_ends_the_run_before_anything_is_sent(
    open_bench: OpenBench, tmp_path: Path
) -> None:
    bench = await open_bench("openai-images", clock=FastClock(SPEED), account={"min_free": "1GB"})
    with small_disk(tmp_path / "disk", "32m") as disk:
        bench = replace(bench, folder=disk.path)
        assert (await bench.run(rows(3))).exit_code == 4
        assert bench.accepted() == []
        (event,) = bench.named("halted")
        assert "MiB are free below" in event.facts["reason"]


@NEEDS_MOUNT
async def test_a_disk_that_is_read_only_is_refused_at_the_start(open_bench: OpenBench, tmp_path: Path) -> None:
    bench = await open_fast(open_bench, "openai-images")
    with small_disk(tmp_path / "disk", "32m") as disk:
        bench = replace(bench, folder=disk.path)
        await bench.run(rows(3), limit=1)
        disk.turn_read_only()
        began = time.monotonic()
        ended = await (await Engine.start(bench, "resume")).ended()
        assert "read-only" in ended["refused"].lower()
        assert time.monotonic() - began < 20.0
        assert len(bench.accepted()) == 1
        disk.turn_writable()
        await bench.resume()
        assert_all_done(bench, rows(3))


@NEEDS_MOUNT
async def test_an_output_folder_that_is_read_only_is_refused_at_the_start(open_bench: OpenBench, tmp_path: Path) -> None:
    bench = await open_fast(open_bench, "openai-images")
    bench.write(rows(3))
    with small_disk(tmp_path / "disk", "32m") as disk:
        disk.turn_read_only()
        with pytest.raises(CannotStart, match=r"output folder .* cannot be used"):
            await bench.run(out=str(disk.path / "results"))
    assert bench.accepted() == []


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("commit", [1, 4, 6])
@pytest.mark.parametrize("lasting", ["", "+"])
async def test_a_store_without_room_pauses_the_run_at_any_commit(
    open_bench: OpenBench, provider: str, commit: int, lasting: str
) -> None:
    bench = await open_fast(open_bench, provider)
    bench.write(rows(WAVES))
    ended = await (await start(bench, "run", f"P0':{commit}{lasting}:sqlite-full")).ended()
    assert ended == {"ending": "paused", "exit_code": 4}
    await bench.run()
    assert_fair(bench, rows(WAVES), uncertain=range(SLOTS + 1))


@pytest.mark.parametrize("commit", [4, 6])
async def test_a_store_whose_disk_fails_ends_the_run_at_once_and_says_how_to_save_it(open_bench: OpenBench, commit: int) -> None:
    bench = await open_fast(open_bench, "openai-images")
    bench.write(rows(WAVES))
    ended = await (await start(bench, "run", f"P0':{commit}+:sqlite-error")).ended()
    assert "integrity_check" in ended["refused"]
    assert ".recover" in ended["refused"]
    await bench.run()
    assert_fair(bench, rows(WAVES), uncertain=range(SLOTS + 1))


async def test_a_task_id_that_no_disk_takes_is_kept_in_the_journal(open_bench: OpenBench) -> None:
    bench = await open_fast(open_bench, "toapis", lookup=False)
    bench.write(rows(1))
    engine = await start(bench, "run", "P3:1:break-store,P4:1+:disk-full")
    assert (await engine.ended())["exit_code"] == 4
    assert bench.states() == {"job-000": "submitting"}
    assert (bench.folder / "orchestrator.spool" / "journal").read_bytes().strip(b"\0\n").startswith(b'{"attempt_id"')
    await bench.resume()
    assert_all_done(bench, rows(1))


async def test_an_image_that_the_disk_does_not_take_is_held_and_stops_the_run_at_once(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", clock=FastClock(SPEED), account={"concurrency": 1})
    bench.write(rows(5))
    assert (await (await start(bench, "run", "P4:1:disk-full")).ended())["exit_code"] == 4
    assert list(bench.states().values()) == ["uncertain", *["pending"] * 4]
    assert len(bench.accepted()) == 1
    (held,) = [row for row in bench.manifest() if row["state"] == "uncertain"]
    assert "could not be written: [Errno 28] No space left" in held["error"]["message"]


async def test_a_store_that_is_locked_for_seconds_is_waited_for(open_bench: OpenBench) -> None:
    bench = await open_fast(open_bench, "toapis")
    bench.write(rows(10))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) >= 2)
    async with locked(bench):
        await asyncio.sleep(3.0)
    assert (await engine.ended())["exit_code"] == 0
    assert_all_done(bench, rows(10))


@pytest.mark.parametrize("provider", BOTH)
async def test_a_store_that_stays_locked_pauses_the_run_and_loses_no_answer(
    open_bench: OpenBench, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PRAGMAS", {**opening.PRAGMAS, "busy_timeout": "300"})
    bench = await open_fast(open_bench, provider, latency=0.1 * SPEED, lookup=False)
    bench.write(rows(10))
    run = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 2)
    async with locked(bench):
        assert (await run).exit_code == 4
        known = len(bench.accepted())
    await bench.run()
    assert known <= SLOTS + 2
    assert_all_done(bench, rows(10))

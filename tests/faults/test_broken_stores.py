"""Stores that are damaged or not ours: noticed before anything is paid, left as they are, and told how to be saved."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.app import CannotStart
from orchestrator.store import opening
from tests.cli.program import program
from tests.clocks import FastClock
from tests.engine.bench import Bench, query, rows
from tests.engine.conftest import OpenBench
from tests.engine.processes import Engine, until

from .verdict import assert_fair

pytestmark = pytest.mark.faults

JOBS = 30
PAGE = 4096


def smash_header(database: Path) -> None:
    smash(database, 0, 100)


def smash_page(database: Path) -> None:
    """Damage the inside of the table of jobs, which no look at the schema would notice."""
    root = int(query(database, "SELECT rootpage FROM sqlite_master WHERE name = 'job'")[0][0])
    smash(database, (root - 1) * PAGE, PAGE)


def cut_short(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)


def smash(database: Path, start: int, length: int) -> None:
    with database.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * length)


async def finished_in_part(open_bench: OpenBench) -> Bench:
    bench = await open_bench("openai-images", clock=FastClock(15.0))
    await bench.run(rows(JOBS), limit=1)
    return bench


@pytest.mark.parametrize("damage", [smash_header, smash_page, cut_short])
async def test_a_damaged_store_is_refused_unchanged(open_bench: OpenBench, damage: Callable[[Path], None]) -> None:
    bench = await finished_in_part(open_bench)
    damage(bench.database)
    before = bench.database.read_bytes()
    for again in (bench.resume, bench.run):
        with pytest.raises(CannotStart, match=r"\.recover.*output folder.*provider"):
            await again()
    assert bench.database.read_bytes() == before
    assert len(bench.accepted()) == 1


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often all pages of a store were looked at."""
    found: list[str] = []
    check = opening.check

    async def look(connection: AsyncConnection) -> None:
        found.append("looked")
        await check(connection)

    monkeypatch.setattr(opening, "check", look)
    return found


async def test_a_store_that_is_as_an_engine_left_it_is_not_read_whole_again(open_bench: OpenBench, looks: list[str]) -> None:
    bench = await finished_in_part(open_bench)
    looks.clear()
    await bench.resume(limit=1)
    assert looks == []


def touch(bench: Bench) -> None:
    with closing(sqlite3.connect(bench.database)) as other, other:
        other.execute("UPDATE job SET priority = 1")


def copy(bench: Bench) -> None:
    content = bench.database.read_bytes()
    bench.database.unlink()
    bench.database.write_bytes(content)


def leave_a_log(bench: Bench) -> None:
    bench.database.with_name(bench.database.name + "-wal").write_bytes(b"\0" * 40)


def be_killed(bench: Bench) -> None:
    bench.database.with_name(bench.database.name + ".lock").write_text('{"pid": 1, "host": "here"}')


@pytest.mark.parametrize("happen", [touch, copy, leave_a_log, be_killed])
async def test_a_store_that_something_else_happened_to_is_read_whole_before_anything_is_paid(
    open_bench: OpenBench, looks: list[str], happen: Callable[[Bench], None]
) -> None:
    bench = await finished_in_part(open_bench)
    looks.clear()
    happen(bench)
    await bench.resume(limit=1)
    assert looks == ["looked"]
    await bench.resume(limit=1)
    assert looks == ["looked"]


async def test_a_file_that_is_no_database_is_refused_unchanged(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    bench.database.write_text("dear diary, " * 1000, encoding="utf-8")
    before = bench.database.read_bytes()
    with pytest.raises(CannotStart, match="not a store at all"):
        await bench.run(rows(1))
    assert bench.database.read_bytes() == before
    assert bench.accepted() == []


async def test_the_database_of_another_program_is_refused_unchanged(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    bench.database.unlink()
    with closing(sqlite3.connect(bench.database)) as other:
        other.execute("CREATE TABLE wine (year INTEGER, name TEXT)")
        other.execute("INSERT INTO wine VALUES (1961, 'Latour')")
        other.commit()
    before = bench.database.read_bytes()
    with pytest.raises(CannotStart, match="another program"):
        await bench.run(rows(1))
    assert bench.database.read_bytes() == before
    assert query(bench.database, "SELECT * FROM wine") == [(1961, "Latour")]
    assert bench.accepted() == []


async def test_a_log_with_a_torn_end_loses_nothing_that_was_committed(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", clock=FastClock(15.0), account={"concurrency": 2}, latency=0.5, lookup=False)
    bench.write(rows(JOBS))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) >= JOBS // 2)
    await engine.kill()
    log = bench.database.with_name(bench.database.name + "-wal")
    with log.open("ab") as file:
        file.write(b"\xa5" * (PAGE // 2))  # half a frame that was being written, as a power cut leaves it
    await bench.run()
    assert_fair(bench, rows(JOBS), uncertain=range(4))


@pytest.mark.parametrize("command", ["status", "export", "resume"])
async def test_every_command_that_meets_a_smashed_page_says_so_and_exits_with_3(open_bench: OpenBench, command: str) -> None:
    bench = await finished_in_part(open_bench)
    smash_page(bench.database)
    ended = program(command, "--db", str(bench.database), "--out", str(bench.out), cwd=bench.folder)
    assert ended.code == 3, ended
    assert ".recover" in ended.err
    assert "internal error" not in ended.err


def test_the_command_says_in_one_line_what_is_wrong_and_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.db").write_text("dear diary, " * 1000, encoding="utf-8")
    command = [sys.executable, "-m", "orchestrator", "resume"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 3
    (line,) = ended.stderr.decode().splitlines()
    assert "damaged or not a store at all" in line

"""Pipes and folders that somebody put where a file is to go: they are refused by name or passed by, and never waited for."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.app import CannotStart
from orchestrator.manifest import Form
from tests.engine.auditor import Auditor
from tests.engine.bench import Bench, rows
from tests.engine.conftest import OpenBench

pytestmark = pytest.mark.faults

AT_ONCE = 20.0
"""Real seconds after which something counts as waited for."""
Plant = Callable[[Path], None]


def pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    (path / "inside").mkdir(parents=True)


BOTH = pytest.mark.parametrize("plant", [pipe, folder])


@BOTH
@pytest.mark.parametrize("name", ["results/spring/manifest.jsonl", "results/spring/batch.json", "orchestrator.spool/journal"])
async def test_what_cannot_be_a_file_of_the_program_is_refused_before_anything_is_paid(
    open_bench: OpenBench, plant: Plant, name: str
) -> None:
    bench = await open_bench("openai-images")
    plant(bench.folder / name)
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises((CannotStart, OSError), match=name.rpartition("/")[2]):
            await bench.run(rows(1))
    assert bench.accepted() == []


@pytest.mark.parametrize("name", ["orchestrator.db", "orchestrator.db.lock", "results", "results/spring"])
@BOTH
async def test_what_cannot_be_the_store_or_the_output_folder_is_refused_by_name(
    open_bench: OpenBench, plant: Plant, name: str
) -> None:
    if plant is folder and name.startswith("results"):
        pytest.skip("a folder is right there")
    bench = await open_bench("openai-images")
    bench.database.unlink()
    plant(bench.folder / name)
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(CannotStart, match=name.rpartition("/")[2]):
            await bench.run(rows(1))
    assert bench.accepted() == []


@BOTH
async def test_a_manifest_that_turned_into_something_else_during_the_run_is_named_and_the_images_are_there(
    open_bench: OpenBench, plant: Plant
) -> None:
    bench = await open_bench("openai-images")
    target = bench.out / "spring" / "manifest.jsonl"
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(OSError, match="move it away") as refused:
            await bench.run(rows(1), begun=lambda _runtime, _board: plant(target))
    assert refused.value.filename == str(target)
    assert (bench.out / "spring" / "job-000-0.png").is_file()


@BOTH
async def test_a_result_whose_name_is_taken_by_something_else_gets_the_next_one(open_bench: OpenBench, plant: Plant) -> None:
    bench = await open_bench("openai-images")
    plant(bench.out / "spring" / "job-000-0.png")
    async with asyncio.timeout(AT_ONCE):
        assert (await bench.run(rows(1))).exit_code == 0
    (row,) = bench.manifest()
    assert row["images"][0]["file"] == "spring/job-000-0.2.png"


@BOTH
async def test_verify_and_repair_name_what_took_the_place_of_a_result_and_do_not_wait_for_it(
    open_bench: OpenBench, plant: Plant
) -> None:
    bench = await open_bench("toapis")
    await bench.run(rows(1))
    result = bench.out / "spring" / "job-000-0.png"
    whole = result.read_bytes()
    result.unlink()
    plant(result)
    auditor = Auditor(bench)
    async with asyncio.timeout(AT_ONCE):
        assert (await auditor.verify()).left == 1
        assert (await auditor.repair()).left == 0
    assert result.read_bytes() == whole


async def test_an_export_into_a_pipe_waits_for_its_reader_only_so_long(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await finished(open_bench)
    pipe(bench.folder / "pipe")
    monkeypatch.setattr(sys.modules["orchestrator.manifest.export"], "READER_COMES", 0.2)
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(OSError, match="nobody reads from this pipe"):
            await bench.app().export("spring", Form.JSONL, bench.folder / "pipe")


async def test_an_export_into_a_folder_is_refused_and_leaves_nothing_in_it(open_bench: OpenBench) -> None:
    bench = await finished(open_bench)
    folder(bench.folder / "place")
    with pytest.raises(IsADirectoryError):
        await bench.app().export("spring", Form.JSONL, bench.folder / "place")
    assert [path.name for path in (bench.folder / "place").iterdir()] == ["inside"]


async def finished(open_bench: OpenBench) -> Bench:
    bench = await open_bench("openai-images")
    await bench.run(rows(1))
    return bench

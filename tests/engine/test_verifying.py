"""`verify`: whatever was done to store or files after a run is found and named, and nothing else is."""

import asyncio
import fcntl
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.app import CannotStart, NotFound
from orchestrator.engine.findings import Kind
from orchestrator.simulator import Simulator, SimulatorOptions
from tests.clocks import JumpingClock

from .auditor import Auditor, by_hand, died_before_the_last_commit, flip
from .bench import KEYS, SIDE, Bench, query, rows
from .conftest import OpenBench

FIRST = "spring/job-000-0.png"


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Three jobs of two images that succeeded, run once for all tests; its provider is gone."""
    return asyncio.run(_run_to_the_end(tmp_path_factory.mktemp("finished")))


async def _run_to_the_end(folder: Path) -> Bench:
    async with JumpingClock() as clock, Simulator(SimulatorOptions(image_side=SIDE), clock=clock) as simulator:
        bench = Bench(folder=folder, simulator=simulator, provider="toapis", clock=clock)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TOAPIS_API_KEY", KEYS["TOAPIS_API_KEY"])
            assert (await bench.run(rows(3, n=2))).exit_code == 0
    return bench


@pytest.fixture
def finished(finished_once: Bench, tmp_path: Path) -> Auditor:
    """A copy of it that the test may change."""
    folder = tmp_path / "copy"
    shutil.copytree(finished_once.folder, folder)
    return Auditor(replace(finished_once, folder=folder))


@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_after_a_run_the_books_balance(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider)
    await bench.run(rows(3, n=2))
    auditor = Auditor(bench)
    verified = await auditor.verify()
    assert auditor.named() == set()
    assert (verified.jobs, verified.files, verified.left) == (3, 6, 0)
    assert verified.bytes == sum(path.stat().st_size for path in bench.out.glob("spring/*.png"))


async def test_failed_uncertain_and_unsent_jobs_are_no_findings(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", fail_containing="number 1", lose_answer_each=1)
    await bench.run(rows(2))
    await bench.run(rows(3), only="job-000")
    assert bench.states() == {"job-000": "uncertain", "job-001": "failed", "job-002": "pending"}
    auditor = Auditor(bench)
    await auditor.verify()
    assert auditor.named() == set()


async def test_previews_of_a_streamed_answer_belong_to_the_job_that_asked_for_them(finished: Auditor) -> None:
    bench = finished.bench
    for stem in ("job-000-0", "job-001-0"):
        (bench.out / "spring" / f"{stem}.partial-1.png").write_bytes(b"unfinished")
    by_hand(bench, "UPDATE job SET spec = json_set(spec, '$.params.partial_images', 2) WHERE id = 1")
    await finished.verify()
    assert finished.named() == {
        (Kind.EDITED_ROW, "job-000", None),
        (Kind.FOREIGN_FILE, None, "spring/job-001-0.partial-1.png"),
    }


async def test_rows_that_left_the_file_or_came_anew_are_no_findings(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    await bench.run(rows(3))
    await bench.run([*rows(3)[1:], {"id": "new", "prompt": "a new kite"}])
    auditor = Auditor(bench)
    verified = await auditor.verify()
    assert auditor.named() == set()
    assert verified.jobs == 4


async def test_a_flipped_bit_is_found(finished: Auditor) -> None:
    flip(finished.bench, FIRST)
    await finished.verify()
    assert finished.named() == {(Kind.CHANGED_FILE, "job-000", FIRST)}


async def test_a_file_that_was_cut_short_is_found(finished: Auditor) -> None:
    path = finished.bench.out / FIRST
    path.write_bytes(path.read_bytes()[:-1])
    await finished.verify()
    assert finished.named() == {(Kind.CHANGED_FILE, "job-000", FIRST)}


async def test_a_missing_file_is_found(finished: Auditor) -> None:
    (finished.bench.out / FIRST).unlink()
    await finished.verify()
    assert finished.named() == {(Kind.MISSING_FILE, "job-000", FIRST)}


async def test_a_missing_folder_is_every_file_missing_and_is_not_made_again(finished: Auditor) -> None:
    folder = finished.bench.out / "spring"
    folder.rename(finished.bench.out / "moved")
    await finished.verify()
    assert {kind for kind, *_ in finished.named()} == {Kind.MISSING_FILE}
    assert len(finished.told) == 6
    assert not folder.exists()


async def test_a_link_in_the_place_of_a_file_is_not_followed(finished: Auditor, tmp_path: Path) -> None:
    path = finished.bench.out / FIRST
    path.rename(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    await finished.verify()
    assert finished.named() == {(Kind.CHANGED_FILE, "job-000", FIRST)}


@pytest.mark.parametrize("name", ["holiday.jpg", "job-000-7.png", "job-000-0.png.orig", "x.changed", ".hidden", "a folder"])
async def test_a_foreign_file_is_found(finished: Auditor, name: str) -> None:
    path = finished.bench.out / "spring" / name
    path.mkdir() if "folder" in name else path.write_bytes(b"not ours")
    await finished.verify()
    assert finished.named() == {(Kind.FOREIGN_FILE, None, f"spring/{name}")}


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.json", "job-000-0.png.changed", "job-000-0.png.2.changed"])
async def test_manifests_and_files_a_repair_put_aside_are_known(finished: Auditor, name: str) -> None:
    (finished.bench.out / "spring" / name).write_bytes(b"ours")
    await finished.verify()
    assert finished.named() == set()


async def test_files_beside_the_folders_of_batches_are_not_judged(finished: Auditor) -> None:
    (finished.bench.out / "notes.txt").write_text("mine")
    await finished.verify()
    assert finished.named() == set()


async def test_a_folder_that_does_not_say_whose_it_is_any_more_is_found(finished: Auditor) -> None:
    (finished.bench.out / "spring" / "batch.json").unlink()
    await finished.verify()
    assert finished.named() == {(Kind.UNCLAIMED_FOLDER, None, "spring/batch.json")}


async def test_the_folder_of_another_store_is_refused(finished: Auditor) -> None:
    by_hand(finished.bench, "UPDATE store SET id = 'another'")
    with pytest.raises(CannotStart, match="belongs to the batch 'spring' of the store"):
        await finished.verify()


EDITS = [
    ("UPDATE job SET state = 'failed', error_code = 'refused' WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET key = 'job-001b' WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET spec = json_set(spec, '$.prompt', 'another kite') WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET spec = json_set(spec, '$.meta.sku', 'A-17') WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET spec = 'no JSON at all' WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET model = 'dall-e-2' WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET fingerprint = 'abc' WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET attempts = 0 WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE job SET attempt_id = NULL WHERE id = 1", {Kind.EDITED_ROW}),
    ("UPDATE attempt SET charged = 'no' WHERE job_id = 1", {Kind.EDITED_ROW}),
    ("UPDATE attempt SET state = 'abandoned' WHERE job_id = 1", {Kind.EDITED_ROW}),
    ("UPDATE attempt SET number = 2 WHERE job_id = 1", {Kind.DELETED_ROW}),
    ("UPDATE event SET target = 'uncertain' WHERE job_id = 1 AND event = 'accepted'", {Kind.EDITED_ROW, Kind.DELETED_ROW}),
    ("UPDATE image SET sha256 = 'ab' WHERE job_id = 1", {Kind.CHANGED_FILE}),
    ("UPDATE image SET bytes = 1 WHERE job_id = 1", {Kind.EDITED_ROW}),
    ("UPDATE image SET file = '../../etc/passwd' WHERE job_id = 1 AND \"index\" = 0", {Kind.EDITED_ROW}),
    ('UPDATE image SET job_id = 1 WHERE job_id = 2 AND "index" = 0', {Kind.EDITED_ROW}),
]


@pytest.mark.parametrize(("statement", "kinds"), EDITS)
async def test_a_row_that_was_edited_is_named_with_its_job(finished: Auditor, statement: str, kinds: set[Kind]) -> None:
    by_hand(finished.bench, statement)
    await finished.verify()
    assert kinds <= finished.kinds("job-001b" if "job-001b" in statement else "job-000")
    assert not finished.kinds("job-002")


DELETIONS = [
    ("DELETE FROM job WHERE id = 1", None),
    ("DELETE FROM attempt WHERE job_id = 1", "job-000"),
    ("DELETE FROM attempt WHERE job_id = 3", "job-002"),
    ('DELETE FROM image WHERE job_id = 1 AND "index" = 0', "job-000"),
    ('DELETE FROM image WHERE job_id = 3 AND "index" = 1', "job-002"),
    ("DELETE FROM event WHERE job_id = 1 AND event = 'claimed'", "job-000"),
    ("DELETE FROM event WHERE job_id = 1 AND event = 'accepted'", "job-000"),
    ("DELETE FROM event WHERE id = (SELECT max(id) FROM event)", "*"),
    ("DELETE FROM event WHERE job_id = 1", "job-000"),
]


@pytest.mark.parametrize(("statement", "key"), DELETIONS)
async def test_a_row_that_was_deleted_is_named(finished: Auditor, statement: str, key: str | None) -> None:
    by_hand(finished.bench, statement)
    await finished.verify()
    found = {finding_key for kind, finding_key, _ in finished.named() if kind is Kind.DELETED_ROW}
    assert found - {None} if key == "*" else key in found


async def test_the_last_job_deleted_with_all_its_rows_is_missed_all_the_same(finished: Auditor) -> None:
    for table in ("event", "image", "attempt"):
        by_hand(finished.bench, f"DELETE FROM {table} WHERE job_id = 3")  # noqa: S608
    by_hand(finished.bench, "DELETE FROM job WHERE id = 3")
    await finished.verify()
    messages = [told.message for told in finished.told if told.finding.kind is Kind.DELETED_ROW]
    assert "the file had 3 jobs, the store has 2; row 3 of it has none" in messages
    assert {file for kind, _, file in finished.named() if kind is Kind.FOREIGN_FILE} == {
        "spring/job-002-0.png",
        "spring/job-002-1.png",
    }


async def test_a_charge_without_a_result_is_named(finished: Auditor) -> None:
    by_hand(finished.bench, "UPDATE image SET state = 'wanted', url = 'https://gone.example/a.png' WHERE job_id = 1")
    await finished.verify()
    assert Kind.UNSETTLED_CHARGE in finished.kinds("job-000")


async def test_money_that_does_not_add_up_is_named(finished: Auditor) -> None:
    by_hand(finished.bench, "UPDATE batch SET booked = booked + 1000000000")
    await finished.verify()
    assert [told.finding.kind for told in finished.told] == [Kind.EDITED_ROW]
    assert "attempts add up to" in finished.told[0].message


@pytest.mark.parametrize("name", ["ix_event_job_id", "image"])
async def test_a_damaged_store_is_named_and_not_read_on(finished: Auditor, name: str) -> None:
    ((page, size),) = query(
        finished.bench.database,
        f"SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = '{name}'",  # noqa: S608
    )
    with finished.bench.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    await finished.verify()
    assert {kind for kind, *_ in finished.named()} == {Kind.DAMAGED_STORE}


async def test_files_of_a_run_that_died_are_told_apart_from_foreign_ones(open_bench: OpenBench) -> None:
    auditor = await died_before_the_last_commit(await open_bench("toapis"))
    part = auditor.bench.out / "spring" / f".{'a' * 32}-0.part"
    part.write_bytes(b"half")
    await auditor.verify()
    assert auditor.named() == {(Kind.UNRECORDED_FILE, "job-000", FIRST), (Kind.PART_FILE, None, f"spring/{part.name}")}


async def test_what_a_running_engine_has_not_finished_is_passed_over(open_bench: OpenBench) -> None:
    auditor = await died_before_the_last_commit(await open_bench("toapis"))
    folder = auditor.bench.out / "spring"
    (folder / f".{'a' * 32}-0.part").write_bytes(b"half")
    (folder / "holiday.jpg").write_bytes(b"not ours")
    with auditor.bench.database.with_name("orchestrator.db.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        verified = await auditor.verify()
    assert auditor.named() == {(Kind.FOREIGN_FILE, None, "spring/holiday.jpg")}
    assert verified.beside_engine


async def test_batches_are_audited_each_with_its_own_folder(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    await bench.run(rows(1))
    bench.file.write_text(bench.file.read_text().replace('"spring"', '"autumn"'))
    await bench.run()
    (bench.out / "autumn" / "job-000-0.png").unlink()
    auditor = Auditor(bench)
    assert (await auditor.verify("spring")).left == 0
    assert (await auditor.verify()).left == 1
    assert auditor.named() == {(Kind.MISSING_FILE, "job-000", "autumn/job-000-0.png")}
    with pytest.raises(NotFound, match="there is no batch winter"):
        await auditor.verify("winter")


async def test_an_audit_changes_nothing(finished: Auditor) -> None:
    flip(finished.bench, FIRST)
    before = _everything(finished.bench)
    await finished.verify()
    assert _everything(finished.bench) == before


def _everything(bench: Bench) -> dict[str, bytes]:
    files = [path for path in bench.folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path): path.read_bytes() for path in files}

"""`verify --repair`: everything that can be had again without paying is had again, and nothing is ever ordered."""

import hashlib
import shutil
from pathlib import Path

import pytest

from orchestrator.app import CannotStart
from orchestrator.engine.findings import Kind
from orchestrator.store.lock import EngineLock
from orchestrator.store.operators import Selection

from .auditor import Auditor, by_hand, died_before_the_last_commit, flip
from .bench import Bench, expected, query, rows
from .conftest import OpenBench

FIRST = "spring/job-000-0.png"
SECOND = "spring/job-000-1.png"


async def ran(bench: Bench, count: int = 2, n: int = 2) -> Auditor:
    assert (await bench.run(rows(count, n=n))).exit_code == 0
    return Auditor(bench)


async def assert_clean(auditor: Auditor) -> None:
    await auditor.verify()
    assert auditor.named() == set()


def assert_all_as_drawn(bench: Bench, count: int = 2, n: int = 2) -> None:
    for number in range(count):
        for index in range(n):
            content = (bench.out / f"spring/job-{number:03}-{index}.png").read_bytes()
            assert hashlib.sha256(content).hexdigest() == expected(f"kite number {number}", index)


def submissions(bench: Bench) -> int:
    return len(bench.simulator.ledger.submissions)


def repairs(bench: Bench) -> list[tuple[str, str, str]]:
    return query(bench.database, "SELECT event, target, actor FROM event WHERE actor = 'verify' ORDER BY id")


async def test_missing_and_flipped_files_come_back_from_the_providers_task(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"))
    bench = auditor.bench
    (bench.out / FIRST).unlink()
    spoilt = flip(bench, SECOND)
    flip(bench, "spring/job-001-0.png")
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (3, 0)
    assert submissions(bench) == 2
    assert_all_as_drawn(bench)
    assert (bench.out / f"{SECOND}.changed").read_bytes() == spoilt
    assert repairs(bench) == [("repaired", "succeeded", "verify")] * 3
    await assert_clean(auditor)
    assert {row["state"] for row in bench.manifest()} == {"succeeded"}


async def test_a_second_changed_file_does_not_replace_the_first_that_was_put_aside(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    bench = auditor.bench
    first = flip(bench, FIRST)
    await auditor.repair()
    (bench.out / FIRST).write_bytes(b"a drawing of my own")
    assert (await auditor.repair()).left == 0
    assert (bench.out / f"{FIRST}.changed").read_bytes() == first
    assert (bench.out / f"{FIRST}.2.changed").read_bytes() == b"a drawing of my own"
    await assert_clean(auditor)


async def test_a_whole_folder_comes_back_with_its_manifest(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"))
    bench = auditor.bench
    before = bench.manifest()
    shutil.rmtree(bench.out)
    assert (await auditor.repair()).mended == 4
    assert_all_as_drawn(bench)
    assert [row["images"][0]["sha256"] for row in bench.manifest()] == [row["images"][0]["sha256"] for row in before]
    await assert_clean(auditor)
    assert submissions(bench) == 2


async def test_links_that_expired_are_asked_for_anew(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis", url_life=60.0))
    await auditor.bench.clock.sleep(3600.0)
    (auditor.bench.out / FIRST).unlink()
    assert (await auditor.repair()).left == 0
    assert_all_as_drawn(auditor.bench)


async def test_a_download_that_breaks_off_is_begun_again(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis", truncate_download_rate=0.3, seed=3), count=4, n=1)
    for number in range(4):
        (auditor.bench.out / f"spring/job-{number:03}-0.png").unlink()
    await auditor.repair()
    assert_all_as_drawn(auditor.bench, count=4, n=1)
    await assert_clean(auditor)


async def test_an_edited_digest_is_put_right_where_the_provider_agrees_with_the_file(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    by_hand(auditor.bench, "UPDATE image SET sha256 = 'abcdef'")
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (1, 0)
    assert "its row was wrong" in auditor.told[0].message
    assert_all_as_drawn(auditor.bench, count=1, n=1)
    assert sorted(path.name for path in (auditor.bench.out / "spring").glob("*.png*")) == ["job-000-0.png"]
    await assert_clean(auditor)


async def test_other_bytes_than_were_saved_never_take_their_place(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    bench = auditor.bench
    by_hand(bench, "UPDATE image SET sha256 = 'abcdef'")
    (bench.out / FIRST).unlink()
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (0, 1)
    assert "gives other bytes now" in auditor.told[0].message
    assert not (bench.out / FIRST).exists()
    (kept,) = bench.folder.glob("orchestrator.spool/*.unusable")
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == expected("kite number 0")
    await auditor.verify()
    assert auditor.named() == {(Kind.MISSING_FILE, "job-000", FIRST)}
    assert bench.states() == {"job-000": "succeeded"}


async def test_a_changed_file_stays_in_its_place_until_the_right_bytes_are_there(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    bench = auditor.bench
    mine = flip(bench, FIRST)
    by_hand(bench, "UPDATE image SET sha256 = 'abcdef'")
    assert (await auditor.repair()).left == 1
    assert (bench.out / FIRST).read_bytes() == mine
    assert sorted(path.name for path in (bench.out / "spring").glob("*.png*")) == ["job-000-0.png"]


async def test_html_in_the_place_of_an_image_repairs_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    auditor = await ran(bench, count=1, n=1)
    object.__setattr__(bench.simulator.options, "html_download_rate", 1.0)
    mine = flip(bench, FIRST)
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (0, 1)
    assert "no whole image" in auditor.told[0].message
    assert (bench.out / FIRST).read_bytes() == mine


async def test_what_a_provider_has_forgotten_is_written_down_as_lost_and_only_retry_pays_for_it(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=2, n=1)
    bench = auditor.bench
    by_hand(bench, "UPDATE attempt SET remote_id = 'task_forgotten' WHERE job_id = 1")
    (bench.out / FIRST).unlink()
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (0, 1)
    assert "`retry` would pay for it again" in auditor.told[0].message
    assert bench.states() == {"job-000": "expired", "job-001": "succeeded"}
    assert bench.attempts() == [("lost", "yes"), ("delivered", "yes")]
    assert bench.manifest()[0]["error"]["code"] == "result_expired"
    assert bench.manifest()[0]["images"][0]["file"] is None
    await assert_clean(auditor)
    assert submissions(bench) == 2
    async with bench.app().store() as store:
        await store.operators.retry(Selection(keys=("job-000",)))
    assert (await bench.resume()).exit_code == 0
    assert submissions(bench) == 3
    assert_all_as_drawn(bench, n=1)
    await assert_clean(auditor)


async def test_a_404_that_is_not_the_providers_own_word_loses_nothing(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    bench = auditor.bench
    nowhere = f"{bench.simulator.base_url}/nowhere"
    by_hand(bench, f"UPDATE account SET base_url = '{nowhere}', settings = json_set(settings, '$.base_url', '{nowhere}')")  # noqa: S608
    (bench.out / FIRST).unlink()
    assert (await auditor.repair()).left == 1
    assert "HTTP 404" in auditor.told[0].message
    assert bench.states() == {"job-000": "succeeded"}


async def test_one_lost_image_of_several_leaves_its_job_partial(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=2)
    bench = auditor.bench
    by_hand(bench, "UPDATE attempt SET remote_id = 'task_forgotten'")
    (bench.out / SECOND).unlink()
    await auditor.repair()
    assert bench.states() == {"job-000": "succeeded"}
    assert bench.manifest()[0]["partial"]
    await assert_clean(auditor)
    (bench.out / FIRST).unlink()
    await auditor.repair()
    assert bench.states() == {"job-000": "expired"}
    await assert_clean(auditor)


async def test_a_changed_file_that_nobody_can_replace_is_left_as_it_is_and_told(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("openai-images"), count=1, n=1)
    mine = flip(auditor.bench, FIRST)
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (0, 1)
    assert "no copy is kept" in auditor.told[0].message
    assert (auditor.bench.out / FIRST).read_bytes() == mine
    assert auditor.bench.states() == {"job-000": "succeeded"}
    assert submissions(auditor.bench) == 1


async def test_a_provider_that_cannot_be_reached_loses_nothing(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    bench = auditor.bench
    (bench.out / FIRST).unlink()
    await bench.simulator.stop()
    try:
        repaired = await auditor.repair()
    finally:
        await bench.simulator.start()
    assert (repaired.mended, repaired.left) == (0, 1)
    assert "cannot be asked" in auditor.told[0].message
    assert bench.states() == {"job-000": "succeeded"}


async def test_nothing_is_lost_by_repairing_into_a_folder_that_was_not_there(open_bench: OpenBench, tmp_path: Path) -> None:
    auditor = await ran(await open_bench("openai-images"), count=1, n=1)
    bench = auditor.bench
    ear = auditor._ear()
    repaired = await bench.app(out=str(tmp_path / "wrong")).repair(None, ear)
    assert (repaired.mended, repaired.left) == (0, 1)
    assert bench.states() == {"job-000": "succeeded"}
    await assert_clean(auditor)


async def test_a_spooled_answer_gives_an_image_back_though_its_provider_cannot(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    kept: list[tuple[Path, bytes]] = []

    auditor = await ran_with_spool_kept(bench, kept)
    for path, content in kept:
        path.write_bytes(content)
    (bench.out / FIRST).unlink()
    flip(bench, SECOND)
    repaired = await auditor.repair()
    assert (repaired.mended, repaired.left) == (2, 0)
    assert_all_as_drawn(bench, count=1)
    await assert_clean(auditor)
    assert submissions(bench) == 1


async def ran_with_spool_kept(bench: Bench, kept: list[tuple[Path, bytes]]) -> Auditor:
    """Run one job and remember its spooled answer, as a run has it that dies before it throws it away."""

    def remember(event: object) -> None:
        spool = bench.database.with_name("orchestrator.spool")
        kept.extend((path, path.read_bytes()) for path in spool.glob("*.answer") if path not in dict(kept))
        del event

    file = bench.write(rows(1, n=2))
    await bench.app().run(file, [remember], lambda _runtime, _board: None)
    assert kept
    return Auditor(bench)


async def test_a_file_whose_row_was_never_committed_is_adopted(open_bench: OpenBench) -> None:
    auditor = await died_before_the_last_commit(await open_bench("toapis"))
    bench = auditor.bench
    (bench.out / "spring" / f".{'a' * 32}-0.part").write_bytes(b"half")
    inode = (bench.out / FIRST).stat().st_ino
    assert (await auditor.repair()).left == 0
    assert bench.states() == {"job-000": "succeeded"}
    assert (bench.out / FIRST).stat().st_ino == inode
    assert sorted(path.name for path in (bench.out / "spring").iterdir()) == ["batch.json", "job-000-0.png", "manifest.jsonl"]
    assert submissions(bench) == 1
    await assert_clean(auditor)


async def test_an_answer_that_was_spooled_and_never_read_is_brought_home(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    kept: list[tuple[Path, bytes]] = []
    auditor = await ran_with_spool_kept(bench, kept)
    path, content = kept[0]
    path.write_bytes(content)
    _as_if_killed_before_the_answer_was_read(bench)
    assert bench.states() == {"job-000": "submitting"}
    assert (await auditor.repair()).left == 0
    assert bench.states() == {"job-000": "succeeded"}
    assert_all_as_drawn(bench, count=1)
    assert submissions(bench) == 1
    await assert_clean(auditor)


def _as_if_killed_before_the_answer_was_read(bench: Bench) -> None:
    """Take the store back to what it held between the spool's fsync and the commit of the answer (reliability.md a.3, P5)."""
    for file in bench.out.glob("spring/*.png"):
        file.unlink()
    by_hand(
        bench,
        "DELETE FROM image",
        "DELETE FROM event WHERE event <> 'claimed'",
        "UPDATE attempt SET state = 'open', charged = 'possible', spool = NULL, cost_settled = NULL, ended_at = NULL, "
        "answered_at = NULL, usage = NULL, phase = 'none'",
        "UPDATE job SET state = 'submitting', finished_at = NULL, known_at = NULL, deadline = NULL",
    )


async def test_jobs_that_were_not_sent_or_are_in_doubt_are_neither_sent_nor_looked_up(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1)
    await bench.run(rows(3), limit=1)
    auditor = Auditor(bench)
    before = bench.states()
    assert sorted(before.values()) == ["pending", "pending", "uncertain"]
    assert (await auditor.repair()).left == 0
    assert bench.states() == before
    assert submissions(bench) == 1


async def test_rows_that_were_edited_are_told_and_not_touched(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    by_hand(auditor.bench, "UPDATE job SET key = 'another'")
    assert (await auditor.repair()).left == 1
    assert auditor.named() == {(Kind.EDITED_ROW, "another", None)}


async def test_foreign_files_are_told_and_not_touched(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    stranger = auditor.bench.out / "spring" / "holiday.jpg"
    stranger.write_bytes(b"mine")
    assert (await auditor.repair()).left == 1
    assert stranger.read_bytes() == b"mine"


async def test_a_repair_does_not_begin_beside_an_engine(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    with EngineLock(auditor.bench.database), pytest.raises(CannotStart, match="in use by process"):
        await auditor.repair()


async def test_a_repair_leaves_a_paused_account_paused(open_bench: OpenBench) -> None:
    auditor = await ran(await open_bench("toapis"), count=1, n=1)
    by_hand(auditor.bench, "UPDATE account SET paused_at = 1, pause_code = 'quota'")
    await auditor.repair()
    assert query(auditor.bench.database, "SELECT pause_code FROM account") == [("quota",)]

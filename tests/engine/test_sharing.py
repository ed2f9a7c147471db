"""One engine per store, one store per output folder, and one payment per row, however often a batch is run."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app import CannotStart, Finished
from orchestrator.jobs.places import BadInput
from orchestrator.store.loading import Changed
from tests.clocks import FastClock, JumpingClock

from .bench import Bench, Row, assert_whole, read_lines, rows
from .conftest import OpenBench
from .processes import Engine, until

DEFAULTS = {"model": "gpt-image-2", "size": "1024x1024"}


def prompts(bench: Bench) -> list[str | None]:
    return [submission.prompt for submission in bench.simulator.ledger.submissions]


async def test_a_second_resume_on_a_store_is_refused_within_a_second_and_sends_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", clock=FastClock(1.0), latency=20.0, account={"concurrency": 2})
    bench.write(rows(5))
    first = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) == 2)
    began = time.monotonic()
    with pytest.raises(CannotStart, match=rf"process {first.process.pid}\b"):
        await bench.resume()
    assert time.monotonic() - began < 1.0
    assert len(prompts(bench)) == 2
    await first.kill()


def another(bench: Bench, jobs: list[Row], name: str = "summer", **top: Any) -> Path:
    """Write another batch file for the same store."""
    batch = json.loads(bench.write(jobs).read_text(encoding="utf-8"))
    file = bench.folder / f"{name}.yaml"
    file.write_text(json.dumps({**batch, "batch": name, **top}), encoding="utf-8")
    return file


async def beside(bench: Bench, file: Path) -> Finished:
    """Run a file as a second process would."""
    return await bench.app().run(file, [], lambda _runtime, _board: None)


@pytest.mark.parametrize("provider", ["openai-images", "toapis"])
async def test_a_second_run_gives_its_batch_to_the_engine_at_work_and_follows_it_to_the_end(
    open_bench: OpenBench, provider: str
) -> None:
    bench = await open_bench(provider, latency=2.0, account={"concurrency": 2, "outstanding": 4})
    second = another(bench, [{**row, "prompt": f"summer {row['prompt']}"} for row in rows(3)])
    bench.write(rows(12))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 2)
    finished = await beside(bench, second)
    assert finished.followed
    assert finished.exit_code == 0
    assert sum(str(prompt).startswith("summer") for prompt in prompts(bench)) == 3
    assert len(read_lines(bench.out / "summer" / "manifest.jsonl")) == 3
    assert not first.done()
    assert (await first).exit_code == 0
    assert len(prompts(bench)) == 15


async def test_a_batch_from_another_terminal_begins_within_about_a_second(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("openai-images", latency=1.0, account={"concurrency": 1})
    second = another(bench, [{"id": "new", "prompt": "the new one"}])
    bench.write(rows(20))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 2)
    asked_at = clock.monotonic()
    await beside(bench, second)
    (new,) = [submission for submission in bench.accepted() if submission.prompt == "the new one"]
    assert new.monotonic - asked_at <= 4.0
    await first


async def test_the_same_file_from_another_terminal_adds_its_new_rows_to_the_run(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=2.0, account={"concurrency": 1})
    bench.write(rows(4))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 1)
    bench.write(rows(6))
    finished = await beside(bench, bench.file)
    assert finished.exit_code == 0
    assert (await first).exit_code == 0
    assert len(prompts(bench)) == 6


async def test_what_fails_in_the_other_batch_is_the_other_runs_exit_code(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=2.0, account={"concurrency": 1}, fail_containing="summer")
    second = another(bench, [{"id": "bad", "prompt": "summer that fails"}])
    bench.write(rows(5))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 1)
    assert (await beside(bench, second)).exit_code == 1
    assert (await first).exit_code == 0


async def test_an_engine_that_has_no_such_account_declines_with_exit_code_3(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=2.0, account={"concurrency": 1})
    other = {"other": {"provider": "openai-images", "base_url": bench.simulator.url_for("openai-images")}}
    second = another(
        bench, [{"prompt": "elsewhere", "account": "other"}], accounts=other, defaults=DEFAULTS | {"account": "other"}
    )
    bench.write(rows(6))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 1)
    with pytest.raises(CannotStart, match="without account other"):
        await beside(bench, second)
    await first
    assert len(prompts(bench)) == 6
    assert (await beside(bench, second)).exit_code == 0


async def test_who_follows_goes_on_when_the_engine_stops(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", latency=2.0, account={"concurrency": 1})
    second = another(bench, [{**row, "prompt": f"summer {row['prompt']}"} for row in rows(4)])
    bench.write(rows(20))
    first = asyncio.create_task(bench.run())
    await until(lambda: len(bench.accepted()) >= 1)
    following = asyncio.create_task(beside(bench, second))
    await until(lambda: any(str(prompt).startswith("summer") for prompt in prompts(bench)))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    finished = await following
    assert not finished.followed
    assert finished.exit_code == 0
    assert sum(str(prompt).startswith("summer") for prompt in prompts(bench)) == 4


async def test_another_store_may_not_write_into_the_output_folder_of_a_batch(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(2))
    with pytest.raises(CannotStart, match="results"):
        await bench.run(rows(4), db=str(bench.folder / "other.db"))
    assert len(prompts(bench)) == 2


@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_a_batch_that_is_run_again_pays_nothing(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider)
    await bench.run(rows(5))
    files = {path: path.stat().st_mtime_ns for path in bench.out.glob("*/*.png")}
    finished = await bench.run(rows(5))
    assert finished.exit_code == 0
    assert len(prompts(bench)) == 5
    assert {path: path.stat().st_mtime_ns for path in bench.out.glob("*/*.png")} == files


async def test_new_rows_are_sent_wherever_they_stand_and_the_manifest_follows_the_file(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    four = rows(4)
    await bench.run(four[1:3])
    await bench.run([four[3], four[2], four[1], four[0]])
    assert len(prompts(bench)) == 4
    assert [row["key"] for row in bench.manifest()] == ["job-003", "job-002", "job-001", "job-000"]


async def test_another_request_under_an_old_key_is_an_error_that_names_the_key(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(3))
    changed = rows(3)
    changed[1]["prompt"] = "something else"
    with pytest.raises(BadInput, match="job-001"):
        await bench.run(changed)
    assert len(prompts(bench)) == 3


async def test_keep_runs_the_stored_request_and_ignores_the_change(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(3), limit=1)
    changed = rows(3)
    changed[2]["prompt"] = "something else"
    await bench.run(changed, changed=Changed.KEEP)
    assert sorted(str(prompt) for prompt in prompts(bench)) == [row["prompt"] for row in rows(3)]
    assert bench.named("batch_stored")[-1].facts["kept"] == ["job-002"]


async def test_replace_changes_what_was_never_sent_and_refuses_what_was(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(3), limit=1)
    (sent,) = (key for key, state in bench.states().items() if state == "succeeded")
    changed = rows(3)
    for row in changed:
        row["prompt"] += ", again" if row["id"] != sent else ""
    finished = await bench.run(changed, changed=Changed.REPLACE)
    assert finished.exit_code == 0
    assert sum(str(prompt).endswith("again") for prompt in prompts(bench)) == 2
    changed[0]["prompt"] = "a third time"
    with pytest.raises(BadInput, match="job-000"):
        await bench.run(changed, changed=Changed.REPLACE)
    assert len(prompts(bench)) == 3


async def test_a_row_that_left_the_file_is_not_sent_and_is_reported_as_gone(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(3), limit=1)
    finished = await bench.run(rows(2))
    assert finished.exit_code == 0
    assert "kite number 2" not in prompts(bench)
    assert bench.named("batch_stored")[-1].facts["gone"] == 1
    assert finished.overviews[0].gone == 1
    await bench.run(rows(3))
    assert "kite number 2" in prompts(bench)


async def test_a_limit_sends_so_many_and_the_next_run_the_rest(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", throttle_each=1)
    await bench.run(rows(8), limit=5)
    assert len(bench.accepted()) == 5
    assert sorted(bench.states().values()) == ["pending"] * 3 + ["succeeded"] * 5
    assert (await bench.run()).exit_code == 0
    assert len(bench.accepted()) == 8
    for row in bench.manifest():
        assert_whole(bench.out, row)

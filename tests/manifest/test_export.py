import asyncio
import csv
import json
import os
import stat
import string
import subprocess
import sys
import threading
import tty
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.cli.words import harmless
from orchestrator.manifest import Form, ManifestJob, export

from .factory import failed, parent, rows, succeeded


async def written(path: Path, form: Form, *jobs: ManifestJob) -> str:
    await export(rows(jobs), (), form, path)
    return text_in(path)


def text_in(path: Path) -> str:
    return path.read_text("utf-8")


async def test_jsonl_is_one_object_a_line_in_the_order_given(tmp_path: Path) -> None:
    text = await written(tmp_path / "m.jsonl", Form.JSONL, succeeded("b"), failed("a"), succeeded("c"))
    assert [json.loads(line)["key"] for line in text.splitlines()] == ["b", "a", "c"]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_json_is_one_array_of_the_same_objects(tmp_path: Path, count: int) -> None:
    jobs = [succeeded(f"job-{number}") for number in range(count)]
    array = json.loads(await written(tmp_path / "m.json", Form.JSON, *jobs))
    lines = (await written(tmp_path / "m.jsonl", Form.JSONL, *jobs)).splitlines()
    assert array == [json.loads(line) for line in lines]
    assert len(array) == count


async def test_an_object_has_the_documented_fields_in_their_order(tmp_path: Path) -> None:
    told = json.loads(await written(tmp_path / "m.jsonl", Form.JSONL, succeeded(parents=(parent(),))))
    assert " ".join(told) == (
        "batch key state partial account provider model prompt params references mask continues parents meta "
        "images attempts cost error created_at finished_at"
    )
    assert " ".join(told["parents"][0]) == "role job image attempt sha256"
    assert " ".join(told["images"][0]) == (
        "index file sha256 bytes format width height revised_prompt degraded source_expires_at downloaded_at"
    )
    assert " ".join(told["attempts"][0]) == (
        "number part started_at ended_at outcome phase elapsed http_status request_id client_ref remote_id charged cost "
        "cost_worst usage reason"
    )
    assert list(told["cost"]) == ["estimated", "actual", "currency"]


async def test_times_money_and_what_is_unknown_are_written_as_documented(tmp_path: Path) -> None:
    told = json.loads(await written(tmp_path / "m.jsonl", Form.JSONL, succeeded()))
    assert told["created_at"] == "1970-01-01T00:00:00.000Z"
    assert told["images"][0]["downloaded_at"] == "1970-01-01T00:00:12.500Z"
    assert told["cost"] == {"estimated": "0.04", "actual": "0.0420", "currency": "USD"}
    assert (told["attempts"][0]["charged"], told["attempts"][0]["cost"]) == ("yes", "0.0420")
    unknown = json.loads(await written(tmp_path / "m.jsonl", Form.JSONL, failed()))
    assert unknown["cost"] == {"estimated": None, "actual": None, "currency": "USD"}
    assert unknown["error"] == {"code": "refused", "provider_code": "moderation_blocked", "message": "=refused"}


async def test_urls_of_references_lose_their_query_and_nothing_else_does(tmp_path: Path) -> None:
    job = succeeded(
        prompt="see https://example.com/a?b=c",
        references=("HTTPS://example.com/a.png?sig=secret#x", "refs/what?.png", {"job": "mug", "image": 0}),
        mask={"url": "https://me:secret@example.com/m.png?sig=secret"},
        meta={"link": "https://example.com/?sku=1"},
    )
    text = await written(tmp_path / "m.jsonl", Form.JSONL, job)
    told = json.loads(text)
    assert "secret" not in text
    assert told["references"] == ["HTTPS://example.com/a.png", "refs/what?.png", {"job": "mug", "image": 0}]
    assert told["mask"] == {"url": "https://example.com/m.png"}
    assert (told["prompt"], told["meta"]) == (job.prompt, {"link": "https://example.com/?sku=1"})


async def test_any_script_stays_readable_and_broken_text_survives(tmp_path: Path) -> None:
    text = await written(tmp_path / "m.jsonl", Form.JSONL, succeeded(prompt="杯子 \ud83d"))
    assert "杯子" in text
    assert json.loads(text)["prompt"] == "杯子 \ud83d"


@pytest.mark.parametrize("text", ["\x9b31m", "\u202egnp.exe", "\u2066a\u2069", "\x7f", "\ufeff", "\x1b]0;x\x07"])
async def test_what_would_steer_a_terminal_is_escaped_and_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    written_text = await written(tmp_path / "m.jsonl", Form.JSONL, succeeded(prompt=text, meta={text: text}))
    assert not set(text) & set(written_text) - set(string.printable)
    told = json.loads(written_text)
    assert (told["prompt"], told["meta"]) == (text, {text: text})


async def test_words_with_joiners_stay_readable(tmp_path: Path) -> None:
    text = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f3a8"
    assert text in await written(tmp_path / "m.jsonl", Form.JSONL, succeeded(prompt=text))


async def test_a_link_in_place_of_the_manifest_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "m.jsonl").symlink_to(tmp_path / "precious")
    await written(tmp_path / "m.jsonl", Form.JSONL, succeeded())
    assert text_in(tmp_path / "precious") == "precious"
    assert not (tmp_path / "m.jsonl").is_symlink()


async def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "manifest.jsonl"
    target.write_text("old\n" * 1000)
    assert await export(rows([succeeded()]), (), Form.JSONL, target) == 1
    assert len(target.read_text().splitlines()) == 1
    assert os.listdir(tmp_path) == ["manifest.jsonl"]  # noqa: PTH208


async def test_two_who_write_the_same_manifest_at_once_each_leave_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "manifest.jsonl"
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[ManifestJob]:
        yield succeeded("first")
        begun.set()
        await may_end.wait()

    first = asyncio.create_task(export(slow(), (), Form.JSONL, target))
    await begun.wait()
    await export(rows([succeeded("second")]), (), Form.JSONL, target)
    assert json.loads(text_in(target))["key"] == "second"
    may_end.set()
    await first
    assert json.loads(text_in(target))["key"] == "first"
    assert os.listdir(tmp_path) == ["manifest.jsonl"]  # noqa: PTH208


async def test_drafts_of_processes_that_died_are_swept_away_and_those_of_others_are_not(tmp_path: Path) -> None:
    own, dead, others = (tmp_path / f".manifest.jsonl.7.{pid}.part" for pid in (os.getpid(), 2**22 + 1, os.getppid()))
    for draft in (own, dead, others):
        draft.write_text("half")
    await export(rows([succeeded()]), (), Form.JSONL, tmp_path / "manifest.jsonl")
    assert sorted(os.listdir(tmp_path)) == [others.name, "manifest.jsonl"]  # noqa: PTH208


async def test_an_error_among_the_rows_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[ManifestJob]:
        yield succeeded()
        raise RuntimeError("the store is gone")

    target = tmp_path / "manifest.jsonl"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="store is gone"):
        await export(broken(), (), Form.JSONL, target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["manifest.jsonl"]  # noqa: PTH208


async def test_a_number_that_json_has_no_word_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        await written(tmp_path / "m.jsonl", Form.JSONL, succeeded(meta={"x": float("nan")}))


async def test_a_manifest_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        await written(tmp_path / "m.jsonl", Form.JSONL, succeeded())
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m.jsonl").stat().st_mode) == 0o640


async def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    await export(rows([succeeded()]), (), Form.JSONL, pipe)
    reader.join()
    assert json.loads(got[0])["key"] == "mug"
    assert pipe.is_fifo()


def test_a_dash_is_standard_output_in_utf_8_whatever_the_locale() -> None:
    program = (
        "import asyncio; from orchestrator.manifest import Form, ManifestJob, export\n"
        "async def rows():\n"
        "    yield ManifestJob(\n"
        "        batch='b', key='k', state='failed', account='a', provider='p', model='m', prompt='杯子', created_at=0\n"
        "    )\n"
        "print('before'); asyncio.run(export(rows(), (), Form.JSONL, '-')); print('after')"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    first, row, last = done.stdout.splitlines()
    assert (first, last) == (b"before", b"after")
    assert json.loads(row)["prompt"] == "杯子"


def on_a_terminal(form: Form, *jobs: ManifestJob) -> bytes:
    """Return what a terminal gets that a manifest is written to."""
    master, slave = os.openpty()
    tty.setraw(slave)
    got: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # how a terminal says that nobody has it open any more
            while True:
                got.append(os.read(master, 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    asyncio.run(export(rows(jobs), (), form, os.ttyname(slave), show=harmless))
    os.close(slave)
    reader.join()
    os.close(master)
    return b"".join(got)


HOSTILE = "\x1b]0;owned\x07 \x9b31m red \u202e backwards\nnext"


@pytest.mark.parametrize("form", [Form.CSV, Form.JSONL, Form.JSON])
def test_no_cell_steers_a_terminal(form: Form) -> None:
    shown = on_a_terminal(form, succeeded(prompt=HOSTILE, model=HOSTILE)).decode()
    assert not [character for character in shown if character in "\x1b\x07\x9b\u202e"]
    assert r"\x1b]0;owned" in shown or r"\u001b]0;owned" in shown


async def test_a_csv_file_has_the_very_text(tmp_path: Path) -> None:
    await export(rows([succeeded(prompt=HOSTILE)]), (), Form.CSV, tmp_path / "m.csv", show=harmless)
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["prompt"] == HOSTILE

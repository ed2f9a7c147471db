import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.jobs.reports import InlineBytes
from orchestrator.results.sink import SpoolTooLarge
from orchestrator.results.spool import Spool

JSON = {"content-type": "application/json"}
LONG = "QUJD" * 4000


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    nonces = iter(f"{number:016x}" for number in range(1000))
    spool = Spool(tmp_path / "spool", new_nonce=lambda: next(nonces))
    yield spool
    spool.close()


def body_with(image: str) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": image}]}).encode()


async def test_a_finished_answer_reads_back_as_it_was_given(spool: Spool) -> None:
    with spool.sink("att_1") as sink:
        sink.open(200, JSON)
        body = body_with(LONG)
        for start in range(0, len(body), 1000):
            sink.write(body[start : start + 1000])
        given = await sink.finish()
    read = await spool.read("att_1")
    assert (read.status, read.headers, read.body) == (200, JSON, given)
    assert len(given) < 200
    assert spool.path_of("att_1").read_bytes().partition(b"\n")[2] == body


async def test_a_marker_says_where_the_base64_lies(spool: Spool) -> None:
    body = body_with(LONG)
    await spool.keep("att_1", 200, JSON, body)
    marker = json.loads((await spool.read("att_1")).body)["data"][0]["b64_json"]
    (place,) = spool.locate("att_1", marker)
    assert isinstance(place, InlineBytes)
    assert body[place.offset : place.offset + place.length] == LONG.encode()


async def test_text_of_several_events_is_found_piece_by_piece(spool: Spool) -> None:
    await spool.keep("att_1", 200, {}, f"{LONG}\n{LONG}".encode())
    first, second = (await spool.read("att_1")).body.decode().split()
    places = spool.locate("att_1", f"data:image/png;base64,{first}QUJD{second}")
    ranges = (InlineBytes(offset=0, length=16000), InlineBytes(offset=16001, length=16000))
    assert places == ["data:image/png;base64,", ranges[0], "QUJD", ranges[1]]


async def test_a_providers_own_words_are_never_taken_for_a_marker(spool: Spool) -> None:
    await spool.keep("att_0", 200, JSON, body_with(LONG))
    await spool.keep("att_1", 200, JSON, body_with("spool:0000000000000000:0:5"))
    forged = json.loads((await spool.read("att_1")).body)["data"][0]["b64_json"]
    for text in (forged, "spool:1:2", "QUJD"):
        assert spool.locate("att_1", text) == [text]


async def test_a_marker_without_its_answer_is_an_error_not_a_literal(spool: Spool) -> None:
    with pytest.raises(FileNotFoundError):
        spool.locate("att_9", "spool:00:1:2")


async def test_files_and_folder_are_private(spool: Spool) -> None:
    await spool.keep("att_1", 200, {}, b"{}")
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(spool.path_of("att_1").stat().st_mode) == 0o600


async def test_an_answer_that_breaks_off_stays_as_a_partial(spool: Spool) -> None:
    with spool.sink("att_1") as sink:
        sink.open(200, JSON)
        sink.write(b'{"data": [')
    assert list(spool.partials()) == ["att_1"]
    assert not spool.has("att_1")
    assert (spool.path / "att_1.partial").read_bytes().endswith(b'{"data": [')


async def test_a_new_answer_replaces_a_partial_and_an_older_answer(spool: Spool) -> None:
    with spool.sink("att_1") as sink:
        sink.open(502, {})
        sink.write(b"half")
    await spool.keep("att_1", 500, {}, b"first")
    await spool.keep("att_1", 200, {}, b"second")
    assert (await spool.read("att_1")).body == b"second"
    assert list(spool.partials()) == []


async def test_an_answer_begun_twice_holds_only_the_second(spool: Spool) -> None:
    with spool.sink("att_1") as sink:
        sink.open(100, {})
        sink.write(b"early")
        sink.open(200, {})
        sink.write(b"late")
        assert await sink.finish() == b"late"
    assert (await spool.read("att_1")).status == 200


async def test_an_answer_beyond_the_limit_is_refused_and_kept_so_far(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.results.sink.MAX_ANSWER", 10)
    with spool.sink("att_1") as sink:
        sink.open(200, {})
        sink.write(b"0123456789")
        with pytest.raises(SpoolTooLarge):
            sink.write(b"x")
    assert (spool.path / "att_1.partial").read_bytes().endswith(b"\n0123456789")


async def test_a_cancelled_wait_for_the_disk_still_leaves_a_whole_answer(spool: Spool) -> None:
    reached = asyncio.Event()

    async def answer() -> None:
        with spool.sink("att_1") as sink:
            sink.open(200, {})
            sink.write(b"paid")
            reached.set()
            await sink.finish()

    task = asyncio.create_task(answer())
    await reached.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.get_running_loop().shutdown_default_executor()
    assert spool.path_of("att_1").read_bytes().endswith(b"\npaid")


async def test_answers_are_listed_and_discarded(spool: Spool) -> None:
    for attempt in ("b", "a"):
        await spool.keep(attempt, 200, {}, b"{}")
    assert list(spool.attempts()) == ["a", "b"]
    spool.discard("a")
    spool.discard("a")
    assert list(spool.attempts()) == ["b"]
    assert not spool.has("a")


@pytest.mark.parametrize("attempt", ["", "../x", "a/b", ".a", "x" * 81, "a\n"])
def test_an_id_that_could_leave_the_folder_is_refused(spool: Spool, attempt: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id"):
        spool.sink(attempt)


async def test_a_symbolic_link_is_neither_read_nor_written_through(spool: Spool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"status": 200, "headers": {}, "nonce": ""}\nsecret')
    spool.path_of("att_1").symlink_to(secret)
    (spool.path / "att_2.partial").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        await spool.read("att_1")
    await spool.keep("att_2", 200, {}, b"{}")
    assert secret.read_text().endswith("secret")


def test_a_symbolic_link_as_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="directory"):
        Spool(tmp_path / "link")


async def test_every_answer_draws_a_nonce_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "other")
    for attempt in ("a", "b"):
        await spool.keep(attempt, 200, JSON, body_with(LONG))
    first, second = [(await spool.read(attempt)).body for attempt in ("a", "b")]
    assert first != second
    spool.close()

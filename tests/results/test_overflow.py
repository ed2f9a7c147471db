"""Answers to free questions: small ones stay in memory, large ones go to the spool as they come."""

import json
from pathlib import Path

import pytest

from orchestrator.jobs.reports import InlineBytes
from orchestrator.results import Overflow, Spool
from orchestrator.results.overflow import SMALL

JSON = {"content-type": "application/json"}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", new_nonce=lambda: "0123456789abcdef")


def body(length: int) -> bytes:
    return b'{"id":"resp_1","result":"' + b"QUJD" * (length // 4) + b'"}'


async def taken(sink: Overflow, content: bytes) -> bytes:
    sink.open(200, JSON)
    for start in range(0, len(content), 5000):
        sink.write(content[start : start + 5000])
    return await sink.finish()


async def test_a_small_answer_comes_back_as_it_was_and_leaves_no_file(spool: Spool) -> None:
    with Overflow(spool, "attempt") as sink:
        content = body(SMALL - 100)
        assert await taken(sink, content) == content
    assert list(spool.attempts()) == list(spool.partials()) == []
    spool.close()


async def test_a_large_answer_is_spooled_and_only_its_outline_comes_back(spool: Spool) -> None:
    with Overflow(spool, "attempt") as sink:
        outline = json.loads(await taken(sink, body(1 << 20)))
    assert outline["id"] == "resp_1"
    assert spool.locate("attempt", outline["result"]) == [InlineBytes(offset=25, length=1 << 20)]
    assert (await spool.read("attempt")).headers == JSON
    spool.close()


async def test_a_large_answer_that_broke_off_does_not_replace_a_whole_one(spool: Spool) -> None:
    await spool.keep("attempt", 200, JSON, body(100))
    with Overflow(spool, "attempt") as sink:
        sink.open(200, JSON)
        sink.write(body(1 << 20)[:-1])
    assert (await spool.read("attempt")).body == body(100)
    assert list(spool.partials()) == ["attempt"]
    spool.close()

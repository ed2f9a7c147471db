import asyncio
import hashlib
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.decoding.facts import NotAnImage, UnsafeImage
from orchestrator.results.files import OutputFolder
from orchestrator.results.gathering import MOST, Gathering
from orchestrator.results.pool import DecodePool
from tests.decoding.pictures import picture

_TOUCHY = textwrap.dedent("""
    import os, sys, time
    from orchestrator.decoding import worker

    honest = worker.inspect

    def touchy(file):
        words = file.read()
        file.seek(0)
        if words.startswith(b"deadly"):
            os.abort()
        if words.startswith(b"slow"):
            while not os.path.exists(words[4:].decode()):
                time.sleep(0.001)
        return honest(file)

    worker.inspect = touchy
    worker.main()
""")
TOUCHY = (sys.executable, "-c", _TOUCHY)
"""A worker that ends at some images, and waits at others until a file is there."""


class CountingPool(DecodePool):
    """Counts the images of each visit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.visits: list[int] = []

    async def run(self, task: str, *, content: bytes = b"", **arguments: Any) -> dict[str, Any]:
        self.visits.append(len(arguments["images"]))
        return await super().run(task, content=content, **arguments)


@pytest.fixture
async def pool() -> AsyncIterator[CountingPool]:
    async with CountingPool(workers=2, program=TOUCHY, patience=0.0) as pool:
        yield pool


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[OutputFolder]:
    folder = OutputFolder(tmp_path / "out", "sale")
    yield folder
    folder.close()


@pytest.fixture
async def gathering(folder: OutputFolder, pool: CountingPool) -> AsyncIterator[Gathering]:
    gathering = Gathering(folder, pool)
    yield gathering
    await gathering.close()


async def save(gathering: Gathering, name: str, content: bytes) -> dict[str, Any]:
    return await gathering.save(f".{name}-0.part", name, content)


async def test_images_that_arrive_while_a_visit_is_under_way_share_the_next(
    gathering: Gathering, pool: CountingPool, folder: OutputFolder
) -> None:
    contents = {f"mug-{number}": picture(size=(20 + number, 20)) for number in range(1 + MOST + 2)}
    replies = await asyncio.gather(*(save(gathering, name, content) for name, content in contents.items()))
    assert sorted(pool.visits) == [1, 2, MOST]
    for (name, content), reply in zip(contents.items(), replies, strict=True):
        assert (folder.path / f"{name}.png").read_bytes() == content
        assert reply["name"] == f"{name}.png"
        assert reply["sha256"] == hashlib.sha256(content).hexdigest()
    assert sorted(path.name for path in folder.path.glob("*.png")) == sorted(f"{name}.png" for name in contents)
    assert not list(folder.path.glob(".*part"))


async def test_what_is_no_image_is_refused_alone(gathering: Gathering, folder: OutputFolder) -> None:
    contents = [picture(), picture(), b"<html>not found</html>", picture(), b""]
    replies = await asyncio.gather(
        *(save(gathering, f"mug-{number}", content) for number, content in enumerate(contents)), return_exceptions=True
    )
    assert [type(reply) for reply in replies] == [dict, dict, NotAnImage, dict, NotAnImage]
    assert "HTML page" in str(replies[2])
    assert sorted(path.name for path in folder.path.iterdir() if path.name.endswith((".png", ".part"))) == [
        "mug-0.png",
        "mug-1.png",
        "mug-3.png",
    ]


async def test_an_image_that_ends_its_worker_takes_no_other_with_it(gathering: Gathering, pool: CountingPool) -> None:
    contents = [picture(), picture(), b"deadly", picture()]
    replies = await asyncio.gather(
        *(save(gathering, f"mug-{number}", content) for number, content in enumerate(contents)), return_exceptions=True
    )
    assert [type(reply) for reply in replies] == [dict, dict, UnsafeImage, dict]
    assert pool.visits == [1, 3, 1, 1, 1]


async def test_nobody_waits_long_for_a_slow_image(gathering: Gathering, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    slow = asyncio.create_task(save(gathering, "slow", b"slow" + str(go_on).encode()))
    await asyncio.sleep(0)
    assert (await save(gathering, "mug", picture()))["name"] == "mug.png"
    assert not slow.done()
    go_on.touch()
    with pytest.raises(NotAnImage):
        await slow


async def test_who_is_cancelled_does_not_keep_others_from_their_answers(gathering: Gathering, folder: OutputFolder) -> None:
    tasks = [asyncio.create_task(save(gathering, f"mug-{number}", picture())) for number in range(4)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(reply) for reply in replies] == [dict, dict, asyncio.CancelledError, dict]
    assert (folder.path / "mug-3.png").exists()


async def test_a_disk_that_refuses_is_told_to_all_who_wait(gathering: Gathering, folder: OutputFolder) -> None:
    for file in folder.path.iterdir():
        file.unlink()
    folder.path.rmdir()
    replies = await asyncio.gather(*(save(gathering, f"mug-{number}", picture()) for number in range(3)), return_exceptions=True)
    assert [type(reply) for reply in replies] == [FileNotFoundError] * 3


async def test_closing_ends_what_is_under_way(folder: OutputFolder, pool: CountingPool, tmp_path: Path) -> None:
    gathering = Gathering(folder, pool)
    never = asyncio.create_task(save(gathering, "slow", b"slow" + str(tmp_path / "never").encode()))
    waiting = asyncio.create_task(save(gathering, "mug", picture()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(gathering.close(), timeout=10)
    await asyncio.wait({never, waiting}, timeout=10)
    assert never.cancelled()
    assert waiting.cancelled()

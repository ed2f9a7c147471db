"""Local images for APIs that take URLs only: fetched from here by whoever has the path, as long as the job lasts."""

import asyncio
import errno
import os
from typing import Any

import aiohttp
import pytest

from orchestrator.engine import own_images
from orchestrator.jobs.places import BadInput
from orchestrator.simulator import Submission
from tests.clocks import JumpingClock
from tests.engine.bench import assert_whole, picture
from tests.engine.conftest import OpenBench

from .calling import SECRET, assert_paid_once, jobs, run

SERVED = {"options": {"references": "served"}}
FIELDS = {"ttapi-4o": "referImages", "toapis": "reference_images"}


async def fetch(url: str, method: str = "GET") -> tuple[int, bytes, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        return answer.status, await answer.read(), answer.headers.get("Content-Type", "")


class Eater:
    """An API that fetches what it was given the moment it accepts an order, and tries what it was not given."""

    def __init__(self, field: str) -> None:
        self._field = field
        self.urls: list[str] = []
        self.fetching: list[asyncio.Task[Any]] = []

    def __call__(self, submission: Submission) -> None:
        urls = submission.body[self._field]
        self.urls += urls
        self.fetching += [asyncio.create_task(fetch(url)) for url in urls]


@pytest.mark.parametrize("provider", ["ttapi-4o", "toapis"])
async def test_an_api_fetches_a_local_image_while_its_job_lasts_and_not_afterwards(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, duration=20.0, webhook_secret=SECRET, account=SERVED)
    files = [picture(bench.folder / "refs" / f"{number}.png", number) for number in range(2)]
    eater = Eater(FIELDS[provider])
    bench.simulator.on_accepted = eater
    rows = jobs(2, references=[f"refs/{file.name}" for file in files])
    finished = await run(bench, rows)
    assert finished.exit_code == 0, bench.manifest()
    for row in bench.manifest():
        assert_whole(bench.out, row)
    fetched = [await task for task in eater.fetching]
    sent = {content for _, content, _ in fetched}
    assert [(status, kind) for status, _, kind in fetched] == [(200, "image/png")] * 4
    assert len(sent) == 2
    assert len(set(eater.urls)) == 4, "each job has paths of its own"
    assert bench.simulator.ledger.uploads == []
    assert_paid_once(bench)


@pytest.mark.slow
async def test_paths_are_dead_when_the_job_is_over_and_cannot_be_guessed(open_bench: OpenBench, clock: JumpingClock) -> None:
    bench = await open_bench("ttapi-4o", duration=60.0, account=SERVED)
    picture(bench.folder / "a.png", 1)
    eater = Eater("referImages")
    bench.simulator.on_accepted = eater
    asked: list[int] = []

    async def look() -> None:
        await clock.sleep(10)
        first, second = eater.urls
        base, _, token = first.rpartition("/")
        wrong = [
            base + "/" + token[::-1],
            base.rpartition("/")[0] + "/999/" + token,
            base + "/" + second.rpartition("/")[2],
            base,
        ]
        asked.extend([(await fetch(url))[0] for url in [*wrong, base.rpartition("/")[0] + "/x/" + token]])
        asked.append((await fetch(first, "HEAD"))[0])

    looking: list[asyncio.Task[None]] = []
    rows = [{**row, "references": ["a.png"]} for row in jobs(2)]
    await run(bench, rows, begun=lambda *_: looking.append(asyncio.create_task(look())))
    await looking[0]
    assert asked == [404, 404, 404, 404, 404, 200]

    dead: list[tuple[int, bytes, str]] = []
    looking.clear()

    async def look_again() -> None:
        dead.extend([await fetch(url) for url in eater.urls[:2]])

    port = int(eater.urls[0].split("/")[2].partition(":")[2])
    more = [*rows, {"id": "more", "prompt": "draw more", "references": ["a.png"]}]
    await run(bench, more, port=port, begun=lambda *_: looking.append(asyncio.create_task(look_again())))
    await looking[0]
    assert [status for status, *_ in dead] == [404, 404]


async def test_a_file_that_changed_is_neither_ordered_with_nor_served(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, account=SERVED)
    file = picture(bench.folder / "a.png", 1)
    rows = [{**row, "references": ["a.png"]} for row in jobs(1)]
    finished = await run(bench, rows, begun=lambda *_: picture(file, 2) and None)
    assert finished.exit_code == 1
    assert bench.simulator.ledger.submissions == []


async def test_an_api_is_told_to_come_again_for_a_file_that_cannot_be_read_now(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await open_bench("ttapi-4o", duration=5.0, account=SERVED)
    picture(bench.folder / "a.png", 1)
    eater = Eater(FIELDS["ttapi-4o"])

    def fail_from_now_on(submission: Submission) -> None:
        monkeypatch.setattr(own_images, "_content", _no_descriptor)
        eater(submission)

    bench.simulator.on_accepted = fail_from_now_on
    await run(bench, [{**row, "references": ["a.png"]} for row in jobs(1)])
    assert [(await task)[0] for task in eater.fetching] == [503]


def _no_descriptor(_image: object) -> bytes:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_to_be_served_needs_a_public_url(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", account=SERVED)
    picture(bench.folder / "a.png", 1)
    with pytest.raises(BadInput, match="--public-url"):
        await run(bench, [{**row, "references": ["a.png"]} for row in jobs(1)], public_url=None)
    assert bench.simulator.ledger.submissions == []

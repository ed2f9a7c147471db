from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import pytest
from PIL import Image

if TYPE_CHECKING:
    from .conftest import OpenBench


@pytest.mark.parametrize(("size", "pixels"), [("1:1", (1024, 1024)), ("2:3", (1024, 1536)), ("3:2", (1536, 1024))])
async def test_a_ratio_becomes_a_real_picture_of_that_shape(open_bench: OpenBench, size: str, pixels: tuple[int, int]) -> None:
    bench = await open_bench(image_side=None)
    response = await bench.get(await bench.result_url(await bench.task(size=size)))
    assert response.content_type == "image/png"
    with Image.open(BytesIO(await response.read())) as image:
        image.load()
        assert image.size == pixels


async def test_downloads_need_no_key(open_bench: OpenBench) -> None:
    bench = await open_bench(key="secret-key-1")
    url = await bench.result_url(await bench.task())
    response = await bench.get(url, headers={"Authorization": ""})
    assert response.status == 200


@pytest.mark.parametrize("status", [403, 404])
async def test_an_expired_url_is_refused_and_a_refetch_signs_a_new_one(open_bench: OpenBench, status: int) -> None:
    bench = await open_bench(url_life=60.0, expired_status=status)
    task_id = await bench.task()
    old = await bench.result_url(task_id)
    assert await bench.result_url(task_id) == old
    assert (await bench.get(old)).status == 200
    bench.clock.elapsed += 61
    assert (await bench.get(old)).status == status
    renewed = await bench.status(task_id)
    new = renewed["result"]["data"][0]["url"]
    assert new != old
    assert renewed["expires_at"] == int(bench.clock.now()) + 60
    assert (await bench.get(new)).status == 200
    assert (await bench.get(old)).status == status
    assert [download.age for download in bench.ledger.downloads] == [0.0, 61.0, 61.0, 61.0]


async def test_a_refetch_can_be_of_no_help(open_bench: OpenBench) -> None:
    bench = await open_bench(url_life=60.0, refetch_renews=False)
    task_id = await bench.task()
    old = await bench.result_url(task_id)
    bench.clock.elapsed += 61
    assert await bench.result_url(task_id) == old
    assert (await bench.get(old)).status == 403


async def test_the_first_download_can_come_too_late_once(open_bench: OpenBench) -> None:
    bench = await open_bench(expired_download=True)
    task_id = await bench.task()
    first = await bench.result_url(task_id)
    assert [(await bench.get(first)).status for _ in range(2)] == [403, 403]
    second = await bench.result_url(task_id)
    assert second != first
    assert (await bench.get(second)).status == 200


async def test_a_forged_url_is_refused(open_bench: OpenBench) -> None:
    bench = await open_bench()
    url = await bench.result_url(await bench.task())
    token, extension = url.rsplit(".", 1)
    forged = f"{token[:-16]}{'0' * 16}.{extension}"
    assert (await bench.get(forged)).status == 403
    assert (await bench.get("/files/nothing.png")).status == 404


async def test_a_download_can_break_off_in_the_middle(open_bench: OpenBench) -> None:
    bench = await open_bench(truncate_download_rate=1.0)
    url = await bench.result_url(await bench.task())
    with pytest.raises(aiohttp.ClientPayloadError):
        await bench.get(url)


async def test_a_download_can_be_an_html_page(open_bench: OpenBench) -> None:
    bench = await open_bench(html_download_rate=1.0)
    response = await bench.get(await bench.result_url(await bench.task()))
    assert (response.status, response.content_type) == (200, "text/html")


async def test_downloads_wait_in_line_for_their_turn(open_bench: OpenBench) -> None:
    bench = await open_bench(download_rate=2.0, download_delay=1.0)
    url = await bench.result_url(await bench.task())
    before = bench.clock.elapsed
    await bench.get(url)
    assert bench.clock.elapsed == before + 1.0
    for _ in range(3):
        await bench.get(url)
    assert bench.clock.elapsed - before >= 4.0

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from .bench import picture_file

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .bench import Bench
    from .conftest import OpenBench


async def upload(bench: Bench, content: bytes, *, filename: str = "reference.png", field: str = "file") -> ClientResponse:
    form = aiohttp.FormData()
    form.add_field("purpose", "generation")
    form.add_field(field, BytesIO(content), filename=filename, content_type="image/png")
    return await bench.post("/toapis/v1/uploads/images", data=form)


async def test_an_upload_is_answered_with_a_url_that_serves_it_back(bench: Bench) -> None:
    content = picture_file()
    answer = await (await upload(bench, content)).json()
    data = answer["data"]
    assert answer["success"] is True
    assert isinstance(answer["message"], str)
    assert set(data) == {"id", "url", "mime_type", "size"}
    assert (data["mime_type"], data["size"]) == ("image/png", len(content))
    served = await bench.get(data["url"], headers={"Authorization": ""})
    assert await served.read() == content
    assert served.content_type == "image/png"


async def test_a_reference_to_an_upload_is_recognised(bench: Bench) -> None:
    content = picture_file(colour="navy")
    url = (await (await upload(bench, content, filename="sky.png")).json())["data"]["url"]
    await bench.order(reference_images=["https://example.com/a.png", url], mask_url=url)
    entry = bench.ledger.submissions[0]
    assert [(reference.kind, reference.url) for reference in entry.references] == [
        ("url", "https://example.com/a.png"),
        ("upload", url),
    ]
    assert entry.references[1].sha256 == hashlib.sha256(content).hexdigest()
    assert entry.references[1].filename == "sky.png"
    assert entry.mask is not None
    assert (entry.mask.kind, entry.mask.field) == ("upload", "mask_url")


async def test_an_invented_upload_is_refused(bench: Bench) -> None:
    response = await bench.order(reference_images=[f"{bench.simulator.base_url}/uploads/upload_0.png"])
    assert (await response.json())["error"]["code"] == "invalid_reference_images"


@pytest.mark.parametrize(
    ("content", "field"),
    [(b"no picture", "file"), (picture_file(), "image"), (picture_file() + bytes(10 << 20), "file")],
    ids=["text", "wrong field", "too large"],
)
async def test_what_is_no_small_picture_in_the_right_field_is_refused(bench: Bench, content: bytes, field: str) -> None:
    response = await upload(bench, content, field=field)
    answer = await response.json()
    assert response.status == 400
    assert answer["success"] is False
    assert set(answer) == {"success", "message"}


@pytest.mark.parametrize(("options", "status"), [({"upload_error_rate": 1.0}, 500), ({"key": "another"}, 401)])
async def test_an_upload_can_fail(open_bench: OpenBench, options: dict[str, Any], status: int) -> None:
    bench = await open_bench(**options)
    assert (await upload(bench, picture_file())).status == status
    assert not bench.ledger.uploads


async def test_an_upload_can_be_slow(open_bench: OpenBench) -> None:
    bench = await open_bench(upload_delay=4.0)
    await upload(bench, picture_file())
    assert bench.clock.elapsed == 4.0

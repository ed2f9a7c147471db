from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from .bench import picture_file

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .bench import Bench

PATH = "/openai/v1/images/edits"
FIRST, SECOND = picture_file(colour="navy"), picture_file(colour="gold", image_format="JPEG")


async def edit(bench: Bench, *files: tuple[str, bytes, str], **texts: str) -> ClientResponse:
    form = aiohttp.FormData()
    for name, value in ({"model": "gpt-image-2", "prompt": "add a hat"} | texts).items():
        form.add_field(name, value)
    for field, content, filename in files:
        form.add_field(field, content, filename=filename, content_type="image/png")
    return await bench.post(PATH, data=form)


async def upload(bench: Bench, content: bytes, filename: str) -> str:
    form = aiohttp.FormData()
    form.add_field("purpose", "vision")
    form.add_field("file", content, filename=filename)
    response = await bench.post("/openai/v1/files", data=form)
    return str((await response.json())["id"])


async def test_files_are_recorded_in_their_order_with_their_digests(bench: Bench) -> None:
    response = await edit(bench, ("image[]", SECOND, "b.jpg"), ("image[]", FIRST, "a.png"), ("mask", FIRST, "mask.png"), n="2")
    assert response.status == 200
    entry = bench.ledger.submissions[0]
    assert [(reference.field, reference.kind, reference.filename) for reference in entry.references] == [
        ("image[]", "file", "b.jpg"),
        ("image[]", "file", "a.png"),
    ]
    assert [reference.sha256 for reference in entry.references] == [
        hashlib.sha256(content).hexdigest() for content in (SECOND, FIRST)
    ]
    assert entry.mask is not None
    assert (entry.mask.field, entry.mask.bytes) == ("mask", len(FIRST))
    assert entry.body == [("model", "gpt-image-2"), ("prompt", "add a hat"), ("n", "2")]
    assert (entry.n, entry.raw_text) == (2, None)


async def test_binary_content_survives_the_form_untouched(bench: Bench) -> None:
    awkward = FIRST + b"\r\n--\r\n\r\n\x00\xff--almost\r\n"
    await edit(bench, ("image", awkward, "odd name äöü.png"))
    reference = bench.ledger.submissions[0].references[0]
    assert reference.sha256 == hashlib.sha256(awkward).hexdigest()
    assert reference.width == 64


async def test_pictures_count_as_input_tokens(bench: Bench) -> None:
    small = await (await edit(bench, ("image", FIRST, "a.png"), model="gpt-image-1")).json()
    large = await (await edit(bench, ("image", FIRST, "a.png"), model="gpt-image-1", input_fidelity="high")).json()
    later = await (await edit(bench, ("image", FIRST, "a.png"))).json()
    counts = [answer["usage"]["input_tokens_details"]["image_tokens"] for answer in (small, large, later)]
    assert counts == [194, 194 + 4160, 1024]


async def test_the_json_form_takes_urls_data_and_file_ids(bench: Bench) -> None:
    data_url = "data:image/png;base64," + base64.b64encode(FIRST).decode()
    first, mask = await upload(bench, FIRST, "first.png"), await upload(bench, SECOND, "mask.png")
    images = [{"image_url": "https://example.com/a.png"}, {"image_url": data_url}, {"file_id": first}]
    body = {"model": "gpt-image-2", "prompt": "add a hat", "images": images, "mask": {"file_id": mask}}
    response = await bench.post(PATH, json=body)
    assert response.status == 200
    entry = bench.ledger.submissions[0]
    assert [reference.kind for reference in entry.references] == ["url", "file", "file_id"]
    assert entry.references[1].sha256 == hashlib.sha256(FIRST).hexdigest()
    assert (entry.references[2].file_id, entry.references[2].sha256) == (first, hashlib.sha256(FIRST).hexdigest())
    assert entry.mask is not None
    assert (entry.mask.file_id, entry.mask.sha256) == (mask, hashlib.sha256(SECOND).hexdigest())


@pytest.mark.parametrize(("field", "where"), [("images", "first"), ("images", "second"), ("mask", "mask")])
async def test_a_file_that_nobody_uploaded_is_refused_by_its_id(bench: Bench, field: str, where: str) -> None:
    known = {"file_id": await upload(bench, FIRST, "first.png")}
    invented = {"file_id": "file-nobody"}
    images = [invented if where == name else known for name in ("first", "second")]
    body = {"model": "gpt-image-2", "prompt": "add a hat", "images": images, "mask": invented if where == "mask" else known}
    response = await bench.post(PATH, json=body)
    error = (await response.json())["error"]
    assert (response.status, error["code"], error["param"]) == (400, "image_file_not_found", field)
    assert error["message"] == "No such File object: file-nobody"
    assert bench.ledger.accepted() == []


@pytest.mark.parametrize("path", ["/ttapi/v1/images/edits", "/gpt-image-2/v1/images/edits"])
async def test_a_file_id_means_nothing_where_nothing_can_be_uploaded(bench: Bench, path: str) -> None:
    images = [{"file_id": await upload(bench, FIRST, "first.png")}]
    response = await bench.post(path, json={"model": "gpt-image-2", "prompt": "add a hat", "images": images})
    assert response.status == 400
    assert "No such File object" in await response.text()


@pytest.mark.parametrize(
    ("images", "mask"),
    [
        ([], None),
        (None, None),
        ([{}], None),
        ([{"image_url": "https://example.com/a.png", "file_id": "file-7"}], None),
        (["https://example.com/a.png"], None),
        ([{"image_url": "ftp://example.com/a.png"}], None),
        ([{"image_url": "data:image/png;base64,AAAA"}], None),
        ([{"image_url": "data:image/png;base64,A"}], None),
        ([{"image_url": "https://example.com/a.png"}] * 17, None),
        ([{"image_url": "https://example.com/a.png"}], {}),
    ],
)
async def test_wrong_json_pictures_are_refused(bench: Bench, images: Any, mask: Any) -> None:
    body = {"model": "gpt-image-2", "prompt": "add a hat", "images": images}
    response = await bench.post(PATH, json=body if mask is None else body | {"mask": mask})
    assert response.status == 400


@pytest.mark.parametrize(
    "files",
    [
        (),
        (("picture", FIRST, "a.png"),),
        (("image", b"no picture", "a.png"),),
        (("image", FIRST, "a.png"), ("mask", picture_file(side=32), "mask.png")),
        (("image", FIRST, "a.png"), ("mask", SECOND, "mask.jpg")),
        (("image", FIRST, "a.png"), ("mask", FIRST, "m.png"), ("mask", FIRST, "m.png")),
        tuple(("image[]", FIRST, "a.png") for _ in range(17)),
    ],
)
async def test_wrong_files_are_refused(bench: Bench, files: tuple[tuple[str, bytes, str], ...]) -> None:
    assert (await edit(bench, *files)).status == 400
    assert bench.ledger.submissions[0].outcome == "rejected"


async def test_input_fidelity_is_refused_where_it_is_always_high(bench: Bench) -> None:
    response = await edit(bench, ("image", FIRST, "a.png"), input_fidelity="high")
    assert (await response.json())["error"]["param"] == "input_fidelity"


async def test_a_form_that_is_cut_off_is_refused(bench: Bench) -> None:
    for content_type in ("multipart/form-data; boundary=x", "multipart/form-data"):
        response = await bench.post(PATH, data=b"--x\r\nContent-", headers={"Content-Type": content_type})
        assert response.status == 400

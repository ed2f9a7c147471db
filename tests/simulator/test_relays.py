"""The simulated relays and chat gateways, asked as their documents show (providers.md 3, 4, 5.5)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from .bench import picture_file

if TYPE_CHECKING:
    from .bench import Bench
    from .conftest import OpenBench

ORDER: dict[str, Any] = {"model": "gpt-image-2", "prompt": "a kite", "size": "1024x768"}
CHAT: dict[str, Any] = {"model": "gpt-4o-image", "messages": [{"role": "user", "content": "a kite"}]}
DATA_URL = "data:image/png;base64," + base64.b64encode(picture_file()).decode()


async def relay(bench: Bench, path: str = "generations", **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {name: value for name, value in {**ORDER, **fields}.items() if value is not None}
    response = await bench.post(f"/gpt-image-2/v1/images/{path}", json=body)
    return response.status, await response.json()


async def chat(bench: Bench, **fields: Any) -> tuple[int, str]:
    response = await bench.post("/chat/v1/chat/completions", json={**CHAT, **fields})
    return response.status, await response.text()


async def vary(bench: Bench, content: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData()
    form.add_field("image", content, filename="mug.png", content_type="image/png")
    for name, value in fields.items():
        form.add_field(name, value)
    response = await bench.post("/openai/v1/images/variations", data=form)
    return response.status, await response.json()


async def test_the_relay_answers_with_links(bench: Bench) -> None:
    status, body = await relay(bench, n=2, quality="low", output_format="webp", response_format="url")
    assert (status, set(body)) == (200, {"created", "data"})
    assert [set(item) for item in body["data"]] == [{"url"}, {"url"}]
    assert (await bench.get(body["data"][0]["url"])).content_type == "image/webp"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": None}, "size"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio"),
        ({"quality": "auto"}, "quality"),
        ({"n": 9}, "n"),
        ({"size": "1280x720"}, "size"),
        ({"model": "gpt-image-1"}, "model"),
        ({"image": DATA_URL}, "image"),
    ],
)
async def test_the_relay_refuses_the_mistakes_its_document_lists(bench: Bench, fields: dict[str, Any], param: str) -> None:
    status, body = await relay(bench, **fields)
    assert (status, body["error"]["param"]) == (400, param)
    assert bench.ledger.accepted() == []


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"image": "https://pictures.example/a.png"}, 1),
        ({"image": {"image_url": DATA_URL}, "mask": DATA_URL}, 1),
        ({"images": [DATA_URL, {"image_url": DATA_URL}]}, 2),
    ],
)
async def test_the_relay_edits_json_pictures(bench: Bench, fields: dict[str, Any], count: int) -> None:
    status, _ = await relay(bench, "edits", **fields)
    assert status == 200
    assert len(bench.ledger.accepted()[0].references) == count


@pytest.mark.parametrize("fields", [{}, {"image": DATA_URL, "images": [DATA_URL]}, {"images": DATA_URL}, {"image": 7}])
async def test_the_relay_refuses_edits_without_a_clear_picture(bench: Bench, fields: dict[str, Any]) -> None:
    assert (await relay(bench, "edits", **fields))[0] == 400


async def test_the_chat_answers_as_documented(bench: Bench) -> None:
    status, text = await chat(bench, n=2, size="1792x1024", quality="hd", style="natural", stream=False, user="u")
    body = json.loads(text)
    assert (status, set(body), len(body["data"])) == (200, {"created", "data"}, 2)
    assert set(body["data"][0]) == {"url", "revised_prompt"}
    assert bench.ledger.accepted()[0].prompt == "a kite"


@pytest.mark.parametrize(
    ("form", "found"),
    [("markdown", "![image](http"), ("inline", "![image](data:image/png;base64,"), ("fields", "Here you are."), ("bare", "http")],
)
async def test_the_chat_answers_as_real_gateways_do(open_bench: OpenBench, form: str, found: str) -> None:
    bench = await open_bench(chat_form=form)
    _, text = await chat(bench)
    message = json.loads(text)["choices"][0]["message"]
    assert found in message["content"]
    assert ("images" in message) == (form == "fields")


@pytest.mark.parametrize(("streams", "declared"), [("declared", "text/event-stream"), ("undeclared", "application/json")])
async def test_the_chat_streams_unasked(open_bench: OpenBench, streams: str, declared: str) -> None:
    bench = await open_bench(chat_form="markdown", chat_streams=streams)
    response = await bench.post("/chat/v1/chat/completions", json=CHAT)
    lines = (await response.text()).split("\n\n")
    assert (response.content_type, lines[-2:]) == (declared, ["data: [DONE]", ""])
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines if line.startswith("data: {")]
    assert "![image](http" in "".join(delta.get("content", "") for delta in deltas)


async def test_the_chat_refuses_in_words(open_bench: OpenBench) -> None:
    bench = await open_bench(chat_form="markdown", fail_rate=1.0)
    status, text = await chat(bench)
    assert status == 200
    assert "content policy" in json.loads(text)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "gpt-image-9"},
        {"messages": []},
        {"messages": [{"role": "system", "content": "a kite"}]},
        {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
        {"size": "1:1"},
        {"quality": "high"},
        {"style": "loud"},
        {"seed": 7},
    ],
)
async def test_the_chat_refuses_what_it_does_not_know(bench: Bench, fields: dict[str, Any]) -> None:
    assert (await chat(bench, **fields))[0] == 400


async def test_variations_take_one_square_png(bench: Bench) -> None:
    status, body = await vary(
        bench, picture_file(), model="dall-e-2", n="2", size="256x256", response_format="b64_json", user="u"
    )
    assert (status, [set(item) for item in body["data"]]) == (200, [{"b64_json"}, {"b64_json"}])


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (picture_file(image_format="JPEG"), {}),
        (b"no picture", {}),
        (picture_file(), {"model": "gpt-image-2"}),
        (picture_file(), {"prompt": "a kite"}),
        (picture_file(), {"size": "1024x1536"}),
        (picture_file(), {"n": "11"}),
        (picture_file(), {"user": "u", "quality": "hd"}),
    ],
)
async def test_variations_refuse_everything_else(bench: Bench, content: bytes, fields: dict[str, str]) -> None:
    assert (await vary(bench, content, **fields))[0] == 400


@pytest.mark.parametrize(("shape", "path"), [("id", "images/generations"), ("inside", "tasks")])
async def test_a_task_comes_instead_and_ends_with_links(open_bench: OpenBench, shape: str, path: str) -> None:
    bench = await open_bench(answers_with_task=shape, duration=10.0)
    _, accepted = await relay(bench)
    task_id = accepted["id"] if shape == "id" else accepted["data"][0]["task_id"]
    running = await (await bench.get(f"/gpt-image-2/v1/{path}/{task_id}")).json()
    assert (running if shape == "id" else running["data"])["status"] == "processing"
    await bench.clock.sleep(11.0)
    done = await (await bench.get(f"/gpt-image-2/v1/{path}/{task_id}")).json()
    url = done["data"][0]["url"] if shape == "id" else done["data"]["result"]["images"][0]["url"][0]
    assert (await bench.get(url)).content_type == "image/png"
    assert (await bench.get(f"/gpt-image-2/v1/{path}/nobody")).status == 404

"""The Responses API and streams of the simulator, met by OpenAI's own library and by hand."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest

from .bench import ManualClock, picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .bench import Bench
    from .conftest import OpenBench

TOOL = {"type": "image_generation", "model": "gpt-image-2", "size": "1024x1024", "quality": "low"}


def is_png(base64_text: str | None) -> bool:
    return base64.b64decode(base64_text or "").startswith(b"\x89PNG")


@asynccontextmanager
async def library(bench: Bench) -> AsyncIterator[Any]:
    """Yield OpenAI's client; untyped, for its unions of all tools and items are endless."""
    base_url = bench.simulator.url_for("openai-responses") + "/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="secret-key-1", max_retries=0) as client:
        yield client


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[Any]:
    async with library(bench) as client:
        yield client


async def respond(bench: Bench, **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {"model": "gpt-4.1", "input": "a kite", "tools": [TOOL]} | fields
    response = await bench.post("/openai/v1/responses", json={name: value for name, value in body.items() if value is not None})
    answer: dict[str, Any] = await response.json()
    return response.status, answer


async def what_comes(response: aiohttp.ClientResponse) -> bytes:
    """Return the bytes of an answer that must break off."""
    came = bytearray()
    try:
        async with response:
            async for chunk in response.content.iter_any():
                came += chunk
    except aiohttp.ClientPayloadError:
        return bytes(came)
    raise AssertionError("the answer is whole")


async def test_the_library_gets_an_image_at_once(client: Any) -> None:
    response = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL])
    (call,) = response.output
    assert (response.status, call.type, call.status) == ("completed", "image_generation_call", "completed")
    assert is_png(call.result)
    assert call.revised_prompt == "A detailed picture: a kite"
    assert response.tool_usage.image_gen.output_tokens == 196
    assert response.usage.output_tokens == 60


async def test_the_library_gets_an_image_from_the_background(open_bench: OpenBench) -> None:
    clock = ManualClock()
    bench = await open_bench(clock=clock, duration=10)
    async with library(bench) as client:
        response = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL], background=True)
        words = [response.status]
        for _ in range(2):
            clock.elapsed += 5
            words.append((await client.responses.retrieve(response.id)).status)
        done = await client.responses.retrieve(response.id)
    assert words == ["queued", "in_progress", "completed"]
    assert is_png(done.output[0].result)
    assert len(bench.ledger.accepted()) == 1
    assert [poll.status for poll in bench.ledger.polls] == ["in_progress", "completed", "completed"]


async def test_the_library_streams_a_response_with_two_partial_images(client: Any) -> None:
    tool = TOOL | {"partial_images": 2}
    stream = await client.responses.create(model="gpt-4.1", input="a kite", tools=[tool], stream=True)
    events = [event async for event in stream]
    partial = [event for event in events if event.type == "response.image_generation_call.partial_image"]
    assert [event.partial_image_index for event in partial] == [0, 1]
    assert all(is_png(event.partial_image_b64) for event in partial)
    assert [event.type for event in (events[0], events[-2], events[-1])] == [
        "response.created",
        "response.output_item.done",
        "response.completed",
    ]
    assert is_png(events[-1].response.output[0].result)
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_the_library_streams_new_images_and_edits(client: Any) -> None:
    made = await client.images.generate(model="gpt-image-2", prompt="a kite", stream=True, partial_images=3)
    events = [event async for event in made]
    assert [event.type for event in events] == [*["image_generation.partial_image"] * 3, "image_generation.completed"]
    assert is_png(events[-1].b64_json)
    assert events[-1].usage.output_tokens == 7024 + 3 * 100
    edited = await client.images.edit(
        model="gpt-image-2", prompt="a hat", image=[("a.png", picture_file()), ("b.png", picture_file())], stream=True, n=2
    )
    assert [event.type async for event in edited] == ["image_edit.completed"] * 2


async def test_the_library_shows_files_and_a_mask_by_their_ids(client: Any, bench: Bench) -> None:
    first, mask = [
        await client.files.create(file=(name, picture_file(colour=colour)), purpose="vision")
        for name, colour in (("first.png", "navy"), ("mask.png", "white"))
    ]
    content = [
        {"type": "input_text", "text": "add a hat"},
        {"type": "input_image", "file_id": first.id},
        {"type": "input_image", "image_url": "https://pictures.example/style.png"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(picture_file()).decode()}"},
    ]
    await client.responses.create(
        model="gpt-4.1",
        input=[{"role": "user", "content": content}],
        tools=[TOOL | {"input_image_mask": {"file_id": mask.id}}],
    )
    (entry,) = bench.ledger.accepted()
    assert entry.prompt == "add a hat"
    assert [reference.kind for reference in entry.references] == ["file_id", "url", "file"]
    assert entry.references[0].filename == "first.png"
    assert entry.mask is not None
    assert entry.mask.filename == "mask.png"
    assert (await client.files.retrieve(first.id)).purpose == "vision"


async def test_a_conversation_goes_on_by_response_and_by_image(client: Any) -> None:
    first = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL])
    second = await client.responses.create(model="gpt-4.1", input="redder", tools=[TOOL], previous_response_id=first.id)
    assert second.previous_response_id == first.id
    call = {"type": "image_generation_call", "id": first.output[0].id}
    third = await client.responses.create(model="gpt-4.1", input=[{"role": "user", "content": "redder"}, call], tools=[TOOL])
    assert third.status == "completed"
    with pytest.raises(openai.BadRequestError) as unknown:
        await client.responses.create(model="gpt-4.1", input="x", tools=[TOOL], previous_response_id="resp_nobody")
    assert unknown.value.code == "previous_response_not_found"


async def test_a_response_that_is_not_stored_is_forgotten(client: Any) -> None:
    response = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL], store=False)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError):
        await client.responses.create(model="gpt-4.1", input="x", tools=[TOOL], previous_response_id=response.id)


async def test_a_background_response_is_cancelled_once_and_for_all(open_bench: OpenBench) -> None:
    bench = await open_bench(duration=10)
    async with library(bench) as client:
        response = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL], background=True)
        assert (await client.responses.cancel(response.id)).status == "cancelled"
        assert (await client.responses.cancel(response.id)).status == "cancelled"
        bench.clock.elapsed += 10
        assert (await client.responses.retrieve(response.id)).status == "cancelled"


async def test_what_is_over_or_synchronous_is_not_cancelled(client: Any) -> None:
    done = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL], background=True)
    assert (await client.responses.cancel(done.id)).status == "completed"
    synchronous = await client.responses.create(model="gpt-4.1", input="a kite", tools=[TOOL])
    with pytest.raises(openai.BadRequestError):
        await client.responses.cancel(synchronous.id)


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        ({"refuse_containing": "kite"}, "completed", "refusal"),
        ({"talk_containing": "kite"}, "completed", "output_text"),
        ({"incomplete_containing": "kite"}, "incomplete", "content_filter"),
        ({"fail_containing": "kite"}, "failed", "server_error"),
    ],
)
async def test_a_response_without_a_picture_says_why(
    open_bench: OpenBench, options: dict[str, Any], status: str, told: str
) -> None:
    _, body = await respond(await open_bench(**options))
    assert body["status"] == status
    assert told in json.dumps([body["output"], body["error"], body["incomplete_details"]])
    assert not [item for item in body["output"] if item["type"] == "image_generation_call"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": "gpt-image-2"}, "model", "model_not_found"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": " "}, "prompt", "empty_string"),
        ({"input": [{"role": "user", "content": [{"type": "text"}]}]}, "input", "invalid_value"),
        ({"input": [{"type": "image_generation_call", "id": "ig_nobody"}]}, "input", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-nobody"}]}]},
            "input",
            "image_file_not_found",
        ),
        ({"tools": []}, "tools", "invalid_value"),
        ({"tools": [TOOL | {"n": 2}]}, "tools[0].n", "unknown_parameter"),
        ({"tools": [TOOL | {"size": "1x1"}]}, "size", "invalid_value"),
        ({"tools": [TOOL | {"quality": "best"}]}, "tools[0].quality", "invalid_value"),
        ({"tools": [TOOL | {"partial_images": 4}]}, "tools[0].partial_images", "integer_above_max_value"),
        ({"tools": [TOOL | {"output_compression": 101}]}, "tools[0].output_compression", "integer_above_max_value"),
        ({"tools": [TOOL | {"action": "paint"}]}, "tools[0].action", "invalid_value"),
        ({"tools": [TOOL | {"moderation": "high"}]}, "tools[0].moderation", "invalid_value"),
        ({"background": "yes"}, "background", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"n": 1}, "n", "unknown_parameter"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, fields: dict[str, Any], param: str, code: str) -> None:
    status, body = await respond(bench, **fields)
    assert (status in (400, 404), body["error"]["param"], body["error"]["code"]) == (True, param, code)
    assert not bench.ledger.accepted()


@pytest.mark.parametrize(("cut", "whole"), [("before", 0), ("after", 1)])
async def test_streams_break_off_where_they_are_told(open_bench: OpenBench, cut: str, whole: int) -> None:
    bench = await open_bench(cut_stream=cut)
    for path, done in (("images/generations", b"image_generation.completed"), ("responses", b"response.output_item.done")):
        fields = {"model": "gpt-4.1", "input": "a kite", "tools": [TOOL | {"partial_images": 1}]}
        body = fields if path == "responses" else {"model": "gpt-image-2", "prompt": "a kite", "partial_images": 1}
        response = await bench.http.post(f"{bench.simulator.base_url}/openai/v1/{path}", json=body | {"stream": True})
        came = await what_comes(response)
        assert came.count(b"event: " + done) == whole
        assert came.count(b"partial_image\n") == 1
        assert b"[DONE]" not in came


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({"purpose": "vision"}, {}, "file"),
        ({"purpose": "fun"}, {"file": ("a.png", b"\x89PNG\r\n\x1a\n")}, "purpose"),
        ({"purpose": "vision"}, {"file": ("a.txt", b"words")}, "file"),
    ],
)
async def test_a_wrong_file_is_refused(bench: Bench, fields: dict[str, str], files: dict[str, Any], param: str) -> None:
    form = aiohttp.FormData(fields)
    for name, (filename, content) in (files or {"other": ("a.png", b"\x89PNG\r\n\x1a\n")}).items():
        form.add_field(name, content, filename=filename)
    response = await bench.post("/openai/v1/files", data=form)
    assert (response.status, (await response.json())["error"]["param"]) == (400, param)
    assert not bench.ledger.uploads

"""OpenAI's own library as a client: if it is content, the wire format is right."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import openai
import pytest
from openai.types import ImagesResponse

from .bench import picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.types.responses import Response
    from openai.types.responses.tool_param import ImageGeneration

    from .bench import Bench
    from .conftest import OpenBench


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[openai.AsyncOpenAI]:
    base_url = bench.simulator.url_for("openai-images") + "/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as client:
        yield client


async def test_it_gets_a_picture(client: openai.AsyncOpenAI) -> None:
    answer = await client.images.generate(model="gpt-image-2", prompt="a kite", size="1024x1024", quality="low")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(b"\x89PNG")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 196


async def test_it_edits_two_files_with_a_mask(client: openai.AsyncOpenAI, bench: Bench) -> None:
    first, second, mask = (picture_file(colour=colour) for colour in ("navy", "gold", "white"))
    answer = await client.images.edit(
        model="gpt-image-2",
        prompt="add a hat",
        image=[("first.png", first), ("second.png", second)],
        mask=("mask.png", mask),
        n=2,
    )
    assert answer.data is not None
    assert len(answer.data) == 2
    entry = bench.ledger.submissions[0]
    assert [reference.filename for reference in entry.references] == ["first.png", "second.png"]
    assert [reference.sha256 for reference in entry.references] == [
        hashlib.sha256(content).hexdigest() for content in (first, second)
    ]
    assert entry.mask is not None
    assert entry.mask.sha256 == hashlib.sha256(mask).hexdigest()


async def test_it_names_an_uploaded_file_in_an_edit_and_understands_that_another_is_unknown(
    client: openai.AsyncOpenAI, bench: Bench
) -> None:
    uploaded = await client.files.create(file=("first.png", picture_file()), purpose="vision")
    order = {"model": "gpt-image-2", "prompt": "add a hat"}  # images.edit writes forms only, which have no place for an id
    known, unknown = ({**order, "images": [{"file_id": name}]} for name in (uploaded.id, "file-nobody"))
    answer = await client.post("/images/edits", body=known, cast_to=ImagesResponse)
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(b"\x89PNG")
    assert [reference.filename for reference in bench.ledger.submissions[0].references] == ["first.png"]
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/images/edits", body=unknown, cast_to=ImagesResponse)
    assert (refused.value.code, refused.value.param) == ("image_file_not_found", "images")


async def test_it_lists_models(client: openai.AsyncOpenAI) -> None:
    assert "gpt-image-2" in [model.id async for model in client.models.list()]


async def test_it_understands_the_refusals(open_bench: OpenBench) -> None:
    bench = await open_bench(throttle_first=1, retry_after="7", fail_containing="poison")
    base_url = bench.simulator.url_for("openai") + "/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as throttled:
            await client.images.generate(model="gpt-image-2", prompt="a kite")
        with pytest.raises(openai.BadRequestError) as blocked:
            await client.images.generate(model="gpt-image-2", prompt="poison")
    assert throttled.value.code == "rate_limit_exceeded"
    assert throttled.value.response.headers["retry-after"] == "7"
    assert blocked.value.code == "moderation_blocked"
    assert blocked.value.request_id is not None


async def test_it_streams_partial_pictures_and_then_the_whole_one(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(
        model="gpt-image-2", prompt="a kite", size="1024x1024", quality="low", stream=True, partial_images=2
    )
    shown = [(event.type, base64.b64decode(event.b64_json)[:4]) async for event in stream]
    assert shown == [
        ("image_generation.partial_image", b"\x89PNG"),
        ("image_generation.partial_image", b"\x89PNG"),
        ("image_generation.completed", b"\x89PNG"),
    ]


async def test_it_streams_an_edit(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.edit(
        model="gpt-image-2", prompt="a hat", image=("first.png", picture_file()), stream=True, partial_images=1
    )
    assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


TOOL: ImageGeneration = {"type": "image_generation", "model": "gpt-image-2", "size": "1024x1024", "quality": "low"}


def pictures_of(response: Response) -> list[bytes]:
    return [
        base64.b64decode(item.result or "")[:4]
        for item in response.output
        if item.type == "image_generation_call" and item.result
    ]


async def test_it_gets_a_picture_as_a_response(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="gpt-5.6", input="draw a kite", tools=[TOOL])
    assert response.status == "completed"
    assert pictures_of(response) == [b"\x89PNG"]


async def test_it_asks_for_a_response_in_the_background_and_goes_on_with_it(open_bench: OpenBench) -> None:
    bench = await open_bench(duration=5.0)
    base_url = bench.simulator.url_for("openai-responses") + "/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as client:
        first = await client.responses.create(model="gpt-5.6", input="draw a kite", tools=[TOOL], background=True)
        assert first.status in ("queued", "in_progress")
        await bench.clock.sleep(5.0)
        done = await client.responses.retrieve(first.id)
        assert (done.status, pictures_of(done)) == ("completed", [b"\x89PNG"])
        second = await client.responses.create(model="gpt-5.6", input="now red", tools=[TOOL], previous_response_id=first.id)
        assert (second.previous_response_id, pictures_of(second)) == (first.id, [b"\x89PNG"])


async def test_it_streams_a_response_with_partial_pictures(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(
        model="gpt-5.6", input="draw a kite", tools=[{**TOOL, "partial_images": 2}], stream=True
    )
    events = [event async for event in stream]
    partials = [event for event in events if event.type == "response.image_generation_call.partial_image"]
    assert [base64.b64decode(event.partial_image_b64)[:4] for event in partials] == [b"\x89PNG", b"\x89PNG"]
    last = events[-1]
    assert last.type == "response.completed"
    assert pictures_of(last.response) == [b"\x89PNG"]

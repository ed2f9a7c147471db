"""OpenAI's own library as a client: if it is content, the wire format is right."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import openai
import pytest

from .bench import picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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

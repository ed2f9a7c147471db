from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from .bench import START, picture_file
from .test_documented_shapes import EDITED, GENERATED, GENERATED_BY_URL, agrees

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .bench import Bench
    from .conftest import OpenBench

KEY = {"TT-API-KEY": "tt-key", "Authorization": ""}
DALL_E_3 = {
    "status": "SUCCESS",
    "message": "success",
    "data": {"created": 1713577682, "data": [{"revised_prompt": "A serene scene", "url": "https://blob.example/0.png?se=1"}]},
}
REFUSED = {"status": "FAILED", "message": "...", "data": None}


async def generate(bench: Bench, prompt: str = "a cute cat", **fields: Any) -> ClientResponse:
    body = {"model": "gpt-image-1", "prompt": prompt, **fields}
    return await bench.post("/ttapi/v1/images/generations", json=body, headers=KEY)


async def dalle3(bench: Bench, **fields: Any) -> ClientResponse:
    body = {"prompt": "a cute cat", "size": "1024x1024", **fields}
    return await bench.post("/ttapi/openai/v1/images/generations", json=body, headers=KEY)


async def test_generations_look_as_documented(bench: Bench) -> None:
    assert agrees(GENERATED, await (await generate(bench)).json())
    assert agrees(GENERATED_BY_URL, await (await generate(bench, model="dall-e-3")).json())


async def test_edits_come_as_a_form(bench: Bench) -> None:
    form = aiohttp.FormData({"model": "gpt-image-1", "prompt": "a gift basket"}, quote_fields=False)
    form.add_field("image[]", picture_file(), filename="soap.png", content_type="image/png")
    response = await bench.post("/ttapi/v1/images/edits", data=form, headers=KEY)
    assert agrees(EDITED, await response.json())


async def test_the_older_endpoint_answers_in_the_envelope_with_a_signed_link(bench: Bench) -> None:
    answer = await (await dalle3(bench)).json()
    assert agrees(DALL_E_3, answer)
    (item,) = answer["data"]["data"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(item["url"]).query).items()}
    assert answer["data"]["created"] == int(START)
    assert (query["se"], query["ske"]) == ("2023-11-14T23:13:20Z", "2023-11-20T23:13:20Z")
    assert (await bench.get(item["url"])).status == 200


@pytest.mark.parametrize("fields", [{"size": None}, {"size": "1024x1024 "}, {"size": "256x256"}, {"model": "dall-e-2"}, {"n": 2}])
async def test_the_older_endpoint_needs_a_size_and_makes_one_image_of_one_model(bench: Bench, fields: dict[str, Any]) -> None:
    response = await dalle3(bench, **fields)
    assert response.status == 400
    assert agrees(REFUSED, await response.json())


async def test_the_key_comes_in_either_header(open_bench: OpenBench) -> None:
    bench = await open_bench(key="the-right-one")
    for headers in ({"TT-API-KEY": "the-right-one", "Authorization": ""}, {"Authorization": "Bearer the-right-one"}):
        body = {"model": "gpt-image-1", "prompt": "a kite"}
        assert (await bench.post("/ttapi/v1/images/generations", json=body, headers=headers)).status == 200
    response = await generate(bench)
    assert response.status == 401
    assert (await response.json())["message"] == "Wrong TT-API-KEY or email is not activated."


@pytest.mark.parametrize("status", [429, 499])
async def test_too_much_is_429_or_an_exhausted_queue(open_bench: OpenBench, status: int) -> None:
    bench = await open_bench(throttle_first=1, throttle_status=status)
    assert (await generate(bench)).status == status
    assert (await generate(bench)).status == 200


async def test_an_empty_balance_is_402(open_bench: OpenBench) -> None:
    bench = await open_bench(quota_after=0)
    assert (await generate(bench)).status == 402


async def test_errors_of_the_gateway_can_be_pages(open_bench: OpenBench) -> None:
    bench = await open_bench(error_rate=1.0, error_status=504, html_errors=True)
    response = await generate(bench)
    assert (response.status, response.content_type) == (504, "text/html")


async def test_errors_can_be_openais(open_bench: OpenBench) -> None:
    bench = await open_bench(error_form="openai", fail_containing="poison")
    error = (await (await generate(bench, "a cup of poison")).json())["error"]
    assert error["code"] == "moderation_blocked"


async def test_refusals_can_come_with_status_200_and_without_a_reason(open_bench: OpenBench) -> None:
    bench = await open_bench(refused_with_200=True, empty_messages=True)
    for response in (await generate(bench, n=99), await dalle3(bench, size="1x1")):
        assert response.status == 200
        assert await response.json() == {"status": "FAILED", "message": "", "data": None}
    assert [(entry.outcome, entry.status, entry.charged) for entry in bench.ledger.submissions] == [("rejected", 200, False)] * 2


async def test_openais_own_paths_stay_where_they_are(open_bench: OpenBench) -> None:
    for provider in ("toapis", "openai-images"):
        bench = await open_bench(provider=provider)
        answer = await (await bench.generate()).json()
        assert "status" not in answer


async def test_unprefixed_paths_belong_to_ttapi_where_it_is_chosen(open_bench: OpenBench) -> None:
    bench = await open_bench(provider="ttapi-dalle3")
    response = await bench.post("/openai/v1/images/generations", json={"prompt": "a kite", "size": "1024x1024"}, headers=KEY)
    assert (await response.json())["status"] == "SUCCESS"
    assert bench.simulator.url_for("ttapi") == bench.simulator.url_for("ttapi-4o") == bench.simulator.base_url + "/ttapi"

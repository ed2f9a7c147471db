from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from .bench import START

if TYPE_CHECKING:
    from .bench import Bench
    from .conftest import OpenBench


async def test_pictures_come_within_the_answer(bench: Bench) -> None:
    response = await bench.generate(n=2, quality="low", size="1536x1024")
    answer = await response.json()
    assert response.status == 200
    assert response.headers["x-request-id"].startswith("req_")
    assert answer["created"] == int(START)
    assert (answer["size"], answer["quality"]) == ("1536x1024", "low")
    assert (answer["output_format"], answer["background"]) == ("png", "opaque")
    assert answer["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 3},
        "output_tokens": 2 * 158,
        "output_tokens_details": {"image_tokens": 2 * 158, "text_tokens": 0},
        "total_tokens": 2 * 158 + 3,
    }
    assert len({item["b64_json"] for item in answer["data"]}) == 2


async def test_size_format_and_background_are_obeyed(open_bench: OpenBench) -> None:
    bench = await open_bench(image_side=None)
    response = await bench.generate(size="1024x768", output_format="webp", background="transparent")
    answer = await response.json()
    with Image.open(BytesIO(base64.b64decode(answer["data"][0]["b64_json"]))) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGBA", (1024, 768))
    assert answer["background"] == "transparent"


async def test_automatic_size_is_a_square(open_bench: OpenBench) -> None:
    bench = await open_bench(image_side=None)
    answer = await (await bench.generate(output_format="jpeg", output_compression=50)).json()
    with Image.open(BytesIO(base64.b64decode(answer["data"][0]["b64_json"]))) as image:
        assert (image.format, image.size) == ("JPEG", (1024, 1024))


async def test_a_relay_delivers_urls_that_live_an_hour(open_bench: OpenBench) -> None:
    bench = await open_bench(result="url")
    answer = await (await bench.generate()).json()
    assert set(answer["data"][0]) == {"url"}
    url = answer["data"][0]["url"]
    assert (await bench.get(url)).status == 200
    bench.clock.elapsed += 3601
    assert (await bench.get(url)).status == 403


async def test_dall_e_delivers_what_its_client_chooses(bench: Bench) -> None:
    by_url = await (await bench.generate(model="dall-e-3")).json()
    by_text = await (await bench.generate(model="dall-e-3", response_format="b64_json")).json()
    assert set(by_url["data"][0]) == {"url", "revised_prompt"}
    assert set(by_text["data"][0]) == {"b64_json", "revised_prompt"}
    assert "usage" not in by_url


async def test_the_answer_takes_as_long_as_the_drawing(open_bench: OpenBench) -> None:
    bench = await open_bench(latency=1.0, duration=30.0)
    await bench.generate()
    assert bench.clock.elapsed == 30.0


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": "x" * 32_001}, "prompt", "string_above_max_length"),
        ({"n": "2"}, "n", "invalid_type"),
        ({"n": 11}, "n", "integer_above_max_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"size": "1000x1000"}, "size", "invalid_value"),
        ({"size": "3840x1024"}, "size", "invalid_value"),
        ({"size": "512x512"}, "size", "invalid_value"),
        ({"size": "square"}, "size", "invalid_value"),
        ({"model": "gpt-image-1", "size": "2048x2048"}, "size", "invalid_value"),
        ({"quality": "max"}, "quality", "invalid_value"),
        ({"output_format": "gif"}, "output_format", "invalid_value"),
        ({"background": "transparent", "output_format": "jpeg"}, "background", "invalid_value"),
        ({"response_format": "url"}, "response_format", "unknown_parameter"),
        ({"sise": "1024x1024"}, "sise", "unknown_parameter"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream": True, "model": "dall-e-3"}, "stream", "unsupported_value"),
        ({"stream": True, "partial_images": 4}, "partial_images", "integer_above_max_value"),
        ({"partial_images": 1}, "partial_images", "invalid_value"),
        ({"model": "dall-e-3", "n": 2}, "n", "integer_above_max_value"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, fields: dict[str, Any], param: str, code: str) -> None:
    response = await bench.generate(**fields)
    error = (await response.json())["error"]
    assert response.status == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert not bench.ledger.accepted()


async def test_later_models_have_more_qualities(bench: Bench) -> None:
    answer = await (await bench.generate(model="gpt-image-2.5-flare", quality="xhigh")).json()
    assert answer["usage"]["output_tokens"] == 3122


async def test_an_unknown_model_is_404(bench: Bench) -> None:
    response = await bench.generate(model="paint-9")
    assert response.status == 404
    assert (await response.json())["error"]["code"] == "model_not_found"


async def test_a_wrong_key_is_refused(open_bench: OpenBench) -> None:
    bench = await open_bench(key="the-right-one")
    response = await bench.generate()
    assert response.status == 401
    assert (await response.json())["error"]["code"] == "invalid_api_key"
    assert (await bench.get("/openai/v1/models")).status == 401


async def test_models_are_listed_with_their_day_of_shutdown(bench: Bench) -> None:
    answer = await (await bench.get("/openai/v1/models")).json()
    assert answer["object"] == "list"
    assert {model["id"]: model["shutdown_date"] for model in answer["data"]}["gpt-image-1.5"] == "2026-12-01"

"""The answers printed in the providers' own documents, compared with the simulator's by members and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bench import picture_file
from .test_openai_edits import edit

if TYPE_CHECKING:
    from .bench import Bench

TOAPIS_SUBMITTED = {
    "id": "task_img_xxxxxxxx",
    "object": "generation.task",
    "model": "gpt-4o-image",
    "status": "queued",
    "progress": 0,
    "created_at": 1703884800,
    "metadata": {},
}
GENERATED_BY_URL = {
    "data": [{"url": "https://filesystem.site/cdn/20250428/example.webp", "revised_prompt": "A cute fluffy cat."}],
    "created": 1745818538,
}
GENERATED = {
    "created": 1745818890,
    "data": [{"b64_json": "iVBORw0KGgoAAAANSUhE..."}],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
        "output_tokens": 4160,
        "total_tokens": 4169,
    },
}
EDITED = {
    "created": 1713833628,
    "data": [{"b64_json": "..."}],
    "usage": {
        "total_tokens": 100,
        "input_tokens": 50,
        "output_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    },
}


def agrees(documented: Any, answered: Any) -> bool:
    """Whether every documented member is there with the same type; further members are allowed."""
    if type(documented) is not type(answered):
        return False
    if isinstance(documented, dict):
        return all(name in answered and agrees(value, answered[name]) for name, value in documented.items())
    if isinstance(documented, list):
        return bool(answered) and all(agrees(documented[0], value) for value in answered)
    return True


async def test_a_toapis_submission_looks_as_documented(bench: Bench) -> None:
    body = {"model": "gpt-4o-image", "prompt": "Premium product ad image", "size": "1:1", "n": 1}
    answer = await (await bench.post("/toapis/v1/images/generations", json=body)).json()
    assert agrees(TOAPIS_SUBMITTED, answer)
    assert set(answer) == set(TOAPIS_SUBMITTED)


async def test_a_generation_by_url_looks_as_documented(bench: Bench) -> None:
    answer = await (await bench.generate("a cute cat", model="dall-e-3", size="1024x1024")).json()
    assert agrees(GENERATED_BY_URL, answer)


async def test_a_generation_looks_as_documented_to_the_token(bench: Bench) -> None:
    answer = await (await bench.generate("a cute cat", model="gpt-image-1", size="1024x1024")).json()
    assert agrees(GENERATED, answer)
    assert answer["usage"]["output_tokens"] == 4160


async def test_an_edit_looks_as_documented(bench: Bench) -> None:
    answer = await (await edit(bench, ("image[]", picture_file(), "soap.png"), model="gpt-image-1")).json()
    assert agrees(EDITED, answer)


def test_a_missing_or_changed_member_is_noticed() -> None:
    assert not agrees({"id": "x"}, {})
    assert not agrees({"id": "x"}, {"id": 7})
    assert not agrees([{"id": "x"}], [])

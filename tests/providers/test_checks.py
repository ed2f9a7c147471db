"""Every documented field at its smallest, its largest, just outside, and with the wrong type."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.providers.base import Provider

from .making import RELAY, TODAY, account, edits, errors, images, local, spec, toapis, warnings

Make = Callable[..., Provider]


def param(name: str, value: Any) -> dict[str, Any]:
    return {"params": {name: value}}


OLD = "gpt-image-1.5"
FLARE = "gpt-image-2.5-flare"
NEWEST = "gpt-image-2.6-sunburst"
COMPRESSED = {"output_format": "webp"}

GOOD: list[tuple[str, Make, str, dict[str, Any]]] = [
    ("toapis prompt longest", toapis, "gpt-4o-image", {"prompt": "x" * 1000}),
    ("toapis size 1:1", toapis, "gpt-4o-image", {"size": "1:1"}),
    ("toapis size 3:2 with a blank", toapis, "gpt-4o-image", {"size": "3:2 "}),
    ("toapis n largest", toapis, "gpt-4o-image", {"n": 4}),
    ("toapis image-2 prompt longest", toapis, "gpt-image-2", {"prompt": "x" * 4000}),
    ("toapis resolution 4K", toapis, "gpt-image-2", param("resolution", "4K")),
    ("toapis response_format url", toapis, "gpt-image-2", param("response_format", "url")),
    ("toapis 1.5 n largest", toapis, "gpt-image-1.5-official", {"n": 10}),
    ("toapis 2.5 quality max", toapis, FLARE, param("quality", "max")),
    ("images prompt longest", images, "gpt-image-2", {"prompt": "x" * 32_000}),
    ("images n smallest", images, "gpt-image-2", {"n": 1}),
    ("images n largest", images, "gpt-image-2", {"n": 10}),
    ("images size auto", images, "gpt-image-2", {"size": "auto"}),
    ("images size any", images, "gpt-image-2", {"size": "3840x2160"}),
    ("images old size", images, OLD, {"size": "1536x1024"}),
    ("images quality", images, "gpt-image-2", param("quality", "high")),
    ("images quality xhigh", images, FLARE, param("quality", "xhigh")),
    ("images transparent", images, "gpt-image-2", param("background", "transparent")),
    ("images format webp", images, "gpt-image-2", param("output_format", "webp")),
    ("images format svg", images, NEWEST, param("output_format", "svg")),
    ("images compression smallest", images, "gpt-image-2", {"params": {**COMPRESSED, "output_compression": 0}}),
    ("images compression largest", images, "gpt-image-2", {"params": {**COMPRESSED, "output_compression": 100}}),
    ("images moderation", images, "gpt-image-2", param("moderation", "low")),
    ("images user", images, "gpt-image-2", param("user", "")),
    ("images complexity", images, NEWEST, param("complexity", "low")),
    ("edits fidelity", edits, OLD, param("input_fidelity", "high")),
    ("edits n largest", edits, "gpt-image-2", {"n": 10}),
]

BAD: list[tuple[str, Make, str, dict[str, Any], str]] = [
    ("no prompt", toapis, "gpt-4o-image", {"prompt": " "}, "prompt must not be empty (toapis gpt-4o-image)"),
    ("prompt", toapis, "gpt-4o-image", {"prompt": "x" * 1001},
     "prompt must be at most 1000 characters (toapis gpt-4o-image); got 1001"),
    ("half", toapis, "gpt-4o-image", {"prompt": "\ud83d"}, "prompt holds half of a surrogate pair, which no request can carry"),
    ("size", toapis, "gpt-4o-image", {"size": "9:9"},
     "size must be one of 1:1, 2:3, 3:2 (toapis gpt-4o-image); got 9:9 - did you mean 1:1?"),
    ("size in pixels", toapis, "gpt-4o-image", {"size": "1024x1536"},
     "size must be one of 1:1, 2:3, 3:2 (toapis gpt-4o-image); got 1024x1536 - did you mean 2:3?"),
    ("n 0", toapis, "gpt-4o-image", {"n": 0}, "n must be a whole number from 1 to 4 (toapis gpt-4o-image); got 0"),
    ("n 5", toapis, "gpt-4o-image", {"n": 5}, "n must be a whole number from 1 to 4 (toapis gpt-4o-image); got 5"),
    ("n text", toapis, "gpt-4o-image", {"n": "2"}, "n must be a whole number from 1 to 4 (toapis gpt-4o-image); got 2"),
    ("n true", toapis, "gpt-4o-image", {"n": True}, "n must be a whole number from 1 to 4 (toapis gpt-4o-image); got true"),
    ("n of an unlisted model", toapis, "flux-9", {"n": 0}, "n must be a whole number from 1 (toapis flux-9); got 0"),
    ("quality unknown here", toapis, "gpt-4o-image", param("quality", "low"),
     "quality is not a parameter (toapis gpt-4o-image); use extra: to send it as it is"),
    ("resolution", toapis, "gpt-image-2", param("resolution", "2k"),
     "resolution must be one of 1K, 2K, 4K (toapis gpt-image-2); got 2k - did you mean 2K?"),
    ("toapis prompt", toapis, "gpt-image-2", {"prompt": "x" * 4001},
     "prompt must be at most 4000 characters (toapis gpt-image-2); got 4001"),
    ("1.5 n", toapis, "gpt-image-1.5-official", {"n": 11},
     "n must be a whole number from 1 to 10 (toapis gpt-image-1.5-official); got 11"),
    ("2.5 n", toapis, FLARE, {"n": 2}, f"n must be a whole number from 1 to 1 (toapis {FLARE}); got 2"),
    ("prompt", images, "gpt-image-2", {"prompt": "x" * 32_001},
     "prompt must be at most 32000 characters (openai-images gpt-image-2); got 32001"),
    ("n", images, "gpt-image-2", {"n": 11}, "n must be a whole number from 1 to 10 (openai-images gpt-image-2); got 11"),
    ("n float", images, "gpt-image-2", {"n": 2.0}, "n must be a whole number from 1 to 10 (openai-images gpt-image-2); got 2.0"),
    ("old size", images, OLD, {"size": "1024x1025"},
     f"size must be one of 1024x1024, 1536x1024, 1024x1536, auto (openai-images {OLD}); got 1024x1025 - did you mean 1024x1024?"),
    ("pixels", images, "gpt-image-2", {"size": "1920x1080"},
     "size must be WIDTHxHEIGHT with both edges multiples of 16 up to 3840"),
    ("quality", images, "gpt-image-2", param("quality", "hihg"),
     "quality must be one of low, medium, high, auto (openai-images gpt-image-2); got hihg - did you mean high?"),
    ("quality xhigh", images, "gpt-image-2", param("quality", "xhigh"),
     "quality must be one of low, medium, high, auto (openai-images gpt-image-2); got xhigh - did you mean high?"),
    ("quality type", images, "gpt-image-2", param("quality", 1),
     "quality must be one of low, medium, high, auto (openai-images gpt-image-2); got 1"),
    ("background", images, "gpt-image-2", param("background", "clear"),
     "background must be one of transparent, opaque, auto (openai-images gpt-image-2); got clear"),
    ("format", images, "gpt-image-2", param("output_format", "svg"),
     "output_format must be one of png, jpeg, webp (openai-images gpt-image-2); got svg"),
    ("jpg", images, "gpt-image-2", param("output_format", "jpg"),
     "output_format must be one of png, jpeg, webp (openai-images gpt-image-2); got jpg - did you mean jpeg?"),
    ("transparent jpeg", images, "gpt-image-2", {"params": {"background": "transparent", "output_format": "jpeg"}},
     "background transparent needs output_format png or webp (openai-images gpt-image-2); got jpeg"),
    ("compressed png", images, "gpt-image-2", param("output_compression", 50),
     "output_compression needs output_format jpeg or webp (openai-images gpt-image-2); got png"),
    ("compression", images, "gpt-image-2", {"params": {**COMPRESSED, "output_compression": 101}},
     "output_compression must be a whole number from 0 to 100 (openai-images gpt-image-2); got 101"),
    ("compression below", images, "gpt-image-2", {"params": {**COMPRESSED, "output_compression": -1}},
     "output_compression must be a whole number from 0 to 100 (openai-images gpt-image-2); got -1"),
    ("compression type", images, "gpt-image-2", {"params": {**COMPRESSED, "output_compression": "80"}},
     "output_compression must be a whole number from 0 to 100 (openai-images gpt-image-2); got 80"),
    ("moderation", images, "gpt-image-2", param("moderation", "high"),
     "moderation must be one of low, auto (openai-images gpt-image-2); got high"),
    ("user", images, "gpt-image-2", param("user", 7), "user must be text (openai-images gpt-image-2); got 7"),
    ("not JSON", images, "gpt-image-2", param("user", {1, 2}), "user must be text (openai-images gpt-image-2); got"),
    ("response_format", images, "gpt-image-2", param("response_format", "url"),
     "response_format cannot be sent (openai-images gpt-image-2): GPT image models always answer with base64; leave it out"),
    ("stream", images, "gpt-image-2", param("stream", "yes"), "stream must be true or false (openai-images gpt-image-2); got yes"),  # noqa: E501
    ("partial images", images, "gpt-image-2", {"params": {"stream": True, "partial_images": 4}},
     "partial_images must be a whole number from 0 to 3 (openai-images gpt-image-2); got 4"),
    ("unstreamed", images, "unlisted", param("partial_images", 2),
     "partial_images needs stream: true (openai-images unlisted); without it no partial image is sent"),
    ("misspelt", images, "gpt-image-2", param("qualty", "low"),
     "qualty is not a parameter (openai-images gpt-image-2) - did you mean quality?; use extra: to send it as it is"),
    ("complexity", images, "gpt-image-2", param("complexity", "low"),
     "complexity is not a parameter (openai-images gpt-image-2); use extra: to send it as it is"),
    ("style", images, "gpt-image-2", param("style", "vivid"),
     "style is not a parameter (openai-images gpt-image-2); use extra: to send it as it is"),
    ("n in params", images, "gpt-image-2", param("n", 2),
     "n is not a parameter (openai-images gpt-image-2); it is a field of the job itself"),
    ("model in extra", images, "gpt-image-2", {"extra": {"model": "other"}},
     "model cannot be sent as it is: it is a field of the job itself (openai-images gpt-image-2)"),
    ("stream in extra", images, "gpt-image-2", {"extra": {"stream": True}},
     "stream cannot be sent as it is: it belongs into params (openai-images gpt-image-2)"),
    ("not JSON in extra", images, "gpt-image-2", {"extra": {"when": TODAY}}, 'when must be a JSON value; got "2026-11-21"'),
    ("NaN in extra", images, "gpt-image-2", {"extra": {"x": float("nan")}}, "x must be a JSON value; got NaN"),
    ("own id", toapis, "gpt-4o-image", {"extra": {"client_business_id": "mine"}},
     "client_business_id cannot be sent as it is: it carries the attempt's id, by which a lost task is found "),
    ("prompt in extra", toapis, "gpt-4o-image", {"extra": {"prompt": "b"}},
     "prompt cannot be sent as it is: it is a field of the job itself (toapis gpt-4o-image)"),
    ("fidelity of 2", edits, "gpt-image-2", param("input_fidelity", "high"),
     "input_fidelity cannot be sent (openai-edits gpt-image-2): this model always works at high fidelity; leave it out"),
    ("fidelity of mini", edits, "gpt-image-1-mini", param("input_fidelity", "low"),
     "input_fidelity cannot be sent (openai-edits gpt-image-1-mini): this model has no fidelity setting; leave it out"),
    ("fidelity", edits, OLD, param("input_fidelity", "max"),
     f"input_fidelity must be one of low, high (openai-edits {OLD}); got max"),
]  # fmt: skip

RETIRED: list[tuple[str, Make, str, dict[str, Any], str]] = [
    ("3 n", images, "dall-e-3", {"n": 2}, "n must be a whole number from 1 to 1 (openai-images dall-e-3); got 2"),
    ("3 prompt", images, "dall-e-3", {"prompt": "x" * 4001},
     "prompt must be at most 4000 characters (openai-images dall-e-3); got 4001"),
    ("3 size", images, "dall-e-3", {"size": "512x512"},
     "size must be one of 1024x1024, 1792x1024, 1024x1792 (openai-images dall-e-3); got 512x512 - did you mean 1024x1024?"),
    ("3 style", images, "dall-e-3", param("style", "loud"),
     "style must be one of vivid, natural (openai-images dall-e-3); got loud"),
    ("2 size", images, "dall-e-2", {"size": "auto"},
     "size must be one of 256x256, 512x512, 1024x1024 (openai-images dall-e-2); got auto"),
    ("2 quality", images, "dall-e-2", param("quality", "hd"), "quality must be one of standard (openai-images dall-e-2); got hd"),
    ("2 format", images, "dall-e-2", param("response_format", "png"),
     "response_format must be one of url, b64_json (openai-images dall-e-2); got png"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "model", "fields"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_the_documents_allow_passes(make: Make, model: str, fields: dict[str, Any]) -> None:
    assert errors(make(), model=model, **fields) == []


@pytest.mark.parametrize(("make", "model", "fields", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_would_be_refused_is_said_before_it_is_sent(make: Make, model: str, fields: dict[str, Any], message: str) -> None:
    found = errors(make(), model=model, **fields)
    assert len(found) == 1
    assert found[0].startswith(message)


@pytest.mark.parametrize(("make", "model", "fields", "message"), [row[1:] for row in RETIRED], ids=[row[0] for row in RETIRED])
def test_limits_of_retired_models_still_hold_at_relays(make: Make, model: str, fields: dict[str, Any], message: str) -> None:
    assert errors(make(), model=model, at={"base_url": RELAY}, **fields) == [message]


def test_all_findings_of_a_job_come_at_once_each_with_its_path() -> None:
    references = (*[local()] * 5, local(format="gif"))
    job = spec("toapis", prompt="", size="9:9", n=9, params={"qualty": 1}, extra={"seed": 7}, references=references)
    paths = [finding.path for finding in toapis().validate(job, account("toapis"))]
    assert paths[:5] == [("prompt",), ("size",), ("n",), ("params", "qualty"), ("extra", "seed")]
    assert paths[5:] == [("references",), ("references", 5)]


def test_a_wrong_size_in_pixels_is_answered_with_the_whole_rule() -> None:
    (message,) = errors(images(), size="1920x1080")
    assert message.startswith("size must be WIDTHxHEIGHT with both edges multiples of 16 up to 3840, ratio at most 3:1, ")
    assert message.endswith(
        "655360 to 8294400 pixels, or auto (openai-images gpt-image-2); got 1920x1080 - did you mean 1920x1088?"
    )


def test_three_images_at_toapis_are_a_warning() -> None:
    assert warnings(toapis(), n=3) == ["n 3 may be refused (toapis gpt-4o-image): newer pages of ToAPIs allow 1, 2 and 4 only"]


def test_an_extra_field_is_a_warning_with_its_name() -> None:
    assert warnings(images(), extra={"seed": 7}) == ["seed is sent as it is, unchecked (openai-images gpt-image-2)"]


def test_constant_fields_of_an_account_are_checked_where_they_are_known_and_sent_where_not() -> None:
    assert errors(images(), at={"params": {"quality": "best"}})[0].startswith("quality must be one of")
    assert errors(images(), at={"params": {"partial_images": 4, "stream": True}})[0].startswith("partial_images must be")
    assert errors(images(), at={"params": {"model": "x"}})[0].startswith("model cannot be sent as it is")
    assert errors(images(), at={"params": {"channel": 4}}) == warnings(images(), at={"params": {"channel": 4}}) == []
    assert errors(images(), at={"params": {"quality": "best"}}, params={"quality": "low"}) == []


def test_account_options_are_declared() -> None:
    assert toapis().options() == {"reference_field": ("reference_images", "image_urls"), "references": ("upload", "served")}
    assert edits().options() == {
        "edit_body": ("auto", "multipart", "json"),
        "references": ("data_url", "file_id"),
        "task_path": str,
    }
    assert images().options() == {"task_path": str}
    assert isinstance(account("toapis"), AccountSettings)

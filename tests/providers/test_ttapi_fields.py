"""Every documented field of every model: its smallest and its largest value, what lies just outside, and the wrong type."""

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.jobs.places import Severity
from orchestrator.providers.registry import Registry

from .making import MASK, REMOTE, local, spec, today
from .relays import account, errors, found

GPT = ("gpt-image-1", "gpt-image-1.5", "gpt-image-2")
GPT_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
DALLE2_SIZES = ("256x256", "512x512", "1024x1024")
DALLE3_SIZES = ("1024x1024", "1792x1024", "1024x1792")
JPEG = {"output_format": "jpeg"}

Row = tuple[str, str, str, tuple[Any, ...], tuple[Any, ...]]


def rows() -> Iterator[Row]:
    """Yield adapter, model, field, right values, wrong values: providers.md 2.1 to 2.3."""
    for api in ("ttapi-images", "ttapi-edits"):
        for model in GPT:
            yield api, model, "prompt", ("x", "x" * 32_000), ("", " ", "x" * 32_001)
            yield api, model, "n", (1, 10), (0, 11, "1", True, 1.0)
            yield api, model, "quality", ("auto", "high", "medium", "low"), ("hd", "standard", "", 1, None)
            yield api, model, "background", ("transparent", "opaque", "auto"), ("clear", True)
            yield api, model, "moderation", ("low", "auto"), ("high", 0)
            yield api, model, "output_format", ("png", "jpeg", "webp"), ("gif", "svg", 1)
            yield api, model, "output_compression", (0, 100), (-1, 101, "50", 50.0, True)
            yield api, model, "stream", (True, False), ("true", 1)
            yield api, model, "response_format", (), ("url", "b64_json")
            yield api, model, "style", (), ("vivid",)
        yield api, "gpt-image-2", "size", ("1024x640", "3840x2160", "auto"), ("1024x624", "3856x1600", "1000x1000", "1:1")
        for model in GPT[:2]:
            yield api, model, "size", GPT_SIZES, ("256x256", "1792x1024", "1:1", "1024")
        yield api, "dall-e-2", "prompt", ("x" * 1000,), ("x" * 1001,)
        yield api, "dall-e-2", "n", (1, 10), (0, 11, "2")
        yield api, "dall-e-2", "size", DALLE2_SIZES, ("auto", "1792x1024", "1536x1024")
        yield api, "dall-e-2", "quality", ("auto", "standard"), ("hd", "high")
        yield api, "dall-e-2", "response_format", ("url", "b64_json"), ("b64", True)
        for name in ("background", "moderation", "output_format", "output_compression", "style"):
            yield api, "dall-e-2", name, (), ("auto",)
    yield "ttapi-edits", "gpt-image-1", "input_fidelity", ("low", "high"), ("medium", 1)
    yield "ttapi-edits", "gpt-image-1.5", "input_fidelity", ("low", "high"), ("medium", 1)
    yield "ttapi-edits", "gpt-image-2", "input_fidelity", (), ("low", "high")
    for api in ("ttapi-images", "ttapi-dalle3"):
        yield api, "dall-e-3", "prompt", ("x" * 4000,), ("x" * 4001, "")
        yield api, "dall-e-3", "n", (1,), (0, 2, "1")
        yield api, "dall-e-3", "size", DALLE3_SIZES, ("auto", "256x256", "1536x1024")
    yield "ttapi-images", "dall-e-3", "quality", ("auto", "hd", "standard"), ("high",)
    yield "ttapi-images", "dall-e-3", "style", ("vivid", "natural"), ("bold", 1)
    yield "ttapi-images", "dall-e-3", "response_format", ("url", "b64_json"), ("b64",)
    yield "ttapi-dalle3", "dall-e-3", "quality", ("hd", "standard"), ("auto", "high", 1)
    for name in ("style", "response_format", "background"):
        yield "ttapi-dalle3", "dall-e-3", name, (), ("vivid", "url")


def _cases() -> Iterator[Any]:
    for api, model, field, right, wrong in rows():
        for kind, values in (("takes", right), ("refuses", wrong)):
            for number, value in enumerate(values):
                shown = value if len(str(value)) < 20 else f"{len(value)} characters"
                yield pytest.param(
                    api, model, field, value, kind == "takes", id=f"{api}-{model}-{field}-{kind}-{number}-{shown!r}"
                )  # fmt: skip


def asked(field: str, value: Any) -> dict[str, Any]:
    """Return the job's fields; compression makes sense for a lossy format only."""
    if field in ("prompt", "n", "size"):
        return {field: value}
    return {"params": {field: value, **(JPEG if field == "output_compression" else {})}}


@pytest.mark.parametrize(("api", "model", "field", "value", "right"), list(_cases()))
def test_a_documented_field_is_taken_within_its_limits_only(api: str, model: str, field: str, value: Any, *, right: bool) -> None:
    said = errors(api, model=model, **asked(field, value))
    assert (said == []) is right
    if not right:
        assert said[0].startswith(f"{field} "), said


def test_partial_images_come_with_a_stream_of_up_to_three() -> None:
    for api in ("ttapi-images", "ttapi-edits"):
        for number in (0, 3):
            assert errors(api, params={"stream": True, "partial_images": number}) == []
        for wrong in (-1, 4, "1", True):
            assert errors(api, params={"stream": True, "partial_images": wrong})


def test_values_that_exclude_each_other_are_refused() -> None:
    for api in ("ttapi-images", "ttapi-edits"):
        assert "needs output_format png or webp" in errors(api, params={"background": "transparent", **JPEG})[0]
        assert "needs output_format jpeg or webp" in errors(api, params={"output_compression": 80})[0]


def test_generations_take_no_pictures() -> None:
    for api in ("ttapi-images", "ttapi-dalle3"):
        assert "references cannot be sent" in errors(api, references=(local(),))[0]
        assert "a mask cannot be sent" in errors(api, mask=MASK)[0]


def test_a_field_that_does_not_exist_is_answered_with_a_hint() -> None:
    assert errors("ttapi-images", params={"qualty": "low"}) == [
        "qualty is not a parameter (ttapi-images gpt-image-1) - did you mean quality?; use extra: to send it as it is"
    ]
    assert found("ttapi-images", Severity.WARNING, model="gpt-image-2", extra={"seed": 7})


def test_a_model_that_nobody_listed_is_sent_unchecked_with_a_warning() -> None:
    assert errors("ttapi-images", model="gpt-image-3", size="7x7", params={"quality": "best"}) == []
    (warning,) = found("ttapi-images", Severity.WARNING, model="gpt-image-3")
    assert warning.startswith("model gpt-image-3 is not in the catalog of ttapi-images")


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"model": "gpt-image-2"}, "ttapi-images"),
        ({"model": "dall-e-3"}, "ttapi-images"),
        ({"model": "gpt-image-2", "references": (REMOTE,)}, "ttapi-edits"),
        ({"model": "gpt-image-2", "mask": MASK}, "ttapi-edits"),
        ({"model": "gpt-image-2", "continues": "other"}, "ttapi-edits"),
        ({"model": "gpt-4o-image"}, "ttapi-4o"),
        ({"model": "gpt-4o-image", "references": (REMOTE,)}, "ttapi-4o"),
        ({"model": "gpt-image-2-plus"}, "ttapi-4o"),
        ({"model": "gpt-image-2", "endpoint": "ttapi-4o"}, "ttapi-4o"),
        ({"model": "dall-e-3", "endpoint": "ttapi-dalle3"}, "ttapi-dalle3"),
    ],
)
def test_the_family_sends_each_job_to_the_member_that_can_do_it(fields: dict[str, Any], member: str) -> None:
    registry = Registry(today=today, plugins=())
    assert registry.route("ttapi", spec("toapis", **fields)).id == member
    assert registry.known_hosts("ttapi") == {"api.ttapi.org", "api.ttapi.io"}


def test_every_member_has_the_option_for_the_keys_header() -> None:
    registry = Registry(today=today, plugins=())
    for member in ("ttapi-images", "ttapi-edits", "ttapi-dalle3", "ttapi-4o"):
        assert registry.provider(member).options()["auth"] == ("tt-api-key", "bearer")
        assert registry.provider(member).default_base_url == account(member).base_url

"""What the documents allow, field by field: adapter, model, field, right values, wrong values (providers.md 1 to 5).

The smallest and the largest of each range are right; wrong are what lies just outside, and another type. TTAPI's rows stand in
`test_ttapi_fields`, but for its jobs.
"""

from collections.abc import Iterator
from typing import Any

Row = tuple[str, str, str, tuple[Any, ...], tuple[Any, ...]]

LIVING = ("gpt-image-2", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "gpt-image-2.6-flare", "gpt-image-2.6-sunburst")
OLDER = ("gpt-image-1.5", "chatgpt-image-latest", "gpt-image-1-mini", "gpt-image-1")
FREE_SIZES = ("1024x640", "640x1024", "2880x2880", "3840x1280", "3840x2160", " 1024x1024 ", "auto")
NO_FREE_SIZES = ("1008x640", "2896x2880", "3840x1264", "3856x1600", "1920x1080", "1:1", "large")
OLDER_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
NO_OLDER_SIZES = ("512x512", "1792x1024", "1024x1025", "2048x2048")
LIMIT_50 = 52_428_800
LIMIT_10 = 10_485_760
LIMIT_4 = 4_194_304
RATIOS = ("1:1", "3:4", "4:3", "16:9", "9:16")


def rows() -> Iterator[Row]:
    """Yield every row."""
    for api in ("openai-images", "openai-edits", "openai-responses"):
        for model in (*LIVING, *OLDER):
            yield from _gpt(api, model)
    yield from _edits()
    yield from _dalle()
    yield from _responses()
    yield from _toapis()
    yield from _relays()
    yield from _jobs()


def _gpt(api: str, model: str) -> Iterator[Row]:
    newest, newer = "2.6" in model, "2.5" in model or "2.6" in model
    is_response = api == "openai-responses"
    yield api, model, "n", (1,) if is_response else (1, 10), (0, 11, 2.0, "1", True)
    yield api, model, "size", FREE_SIZES if model in LIVING else OLDER_SIZES, NO_FREE_SIZES if model in LIVING else NO_OLDER_SIZES
    further = ("xhigh", "max")
    qualities = ("low", "medium", "high", "auto", *(further if newer else ()))
    yield api, model, "quality", qualities, ("hd", "", 1, None, *(() if newer else further))
    yield api, model, "background", ("transparent", "opaque", "auto"), ("clear", True)
    formats = ("png", "jpeg", "webp", *(("svg", "gif") if newest else ()))
    yield api, model, "output_format", formats, ("jpg", 1, *(() if newest else ("svg", "gif")))
    yield api, model, "output_compression", (0, 100), (-1, 101, "50", 50.0, True)
    yield api, model, "moderation", ("low", "auto"), ("high", 0)
    yield api, model, "partial_images", (0, 3), (-1, 4, "1", True, 1.0)
    yield api, model, "user", ("", "somebody"), (7, True)
    yield api, model, "complexity", ("low", "medium", "high") if newest else (), ("max", 1) if newest else ("high",)
    if not is_response:
        yield api, model, "prompt", ("x", "x" * 32_000), ("", " ", "x" * 32_001)
        yield api, model, "stream", (True, False), ("true", 1)
        yield api, model, "response_format", (), ("url", "b64_json")
        yield api, model, "style", (), ("vivid",)
    has_fidelity = model in OLDER and model != "gpt-image-1-mini" and api != "openai-images"
    yield api, model, "input_fidelity", ("low", "high") if has_fidelity else (), ("max", 1) if has_fidelity else ("low", "high")


def _edits() -> Iterator[Row]:
    for model in (*LIVING, *OLDER):
        yield "openai-edits", model, "references", (1, 16), (0, 17)
        yield "openai-edits", model, "reference_bytes", (1, LIMIT_50), (LIMIT_50 + 1,)
        yield "openai-edits", model, "reference_format", ("png", "jpeg", "webp"), ("gif", "svg")
        yield "openai-edits", model, "mask", ({}, {"size": LIMIT_50}), ({"size": LIMIT_50 + 1}, {"alpha": False}, {"width": 511})
    api = "openai-edits"
    yield api, "dall-e-2", "references", (1,), (0, 2)
    yield api, "dall-e-2", "reference_bytes", (1, LIMIT_4), (LIMIT_4 + 1,)
    yield api, "dall-e-2", "reference_format", ("png",), ("jpeg", "webp")
    yield api, "dall-e-2", "mask", ({}, {"size": LIMIT_4}), ({"size": LIMIT_4 + 1}, {"alpha": False}, {"format": "webp"})
    for model in (*LIVING, *OLDER, "dall-e-3", "dall-e-2"):
        yield "openai-images", model, "references", (0,), (1,)


def _dalle() -> Iterator[Row]:
    squares = ("256x256", "512x512", "1024x1024")
    for api in ("openai-images", "openai-edits", "openai-variations"):
        yield api, "dall-e-2", "n", (1, 10), (0, 11, "1")
        yield api, "dall-e-2", "size", squares, ("auto", "1792x1024", "257x256")
        yield api, "dall-e-2", "response_format", ("url", "b64_json"), ("b64", True)
        yield api, "dall-e-2", "user", ("somebody",), (7,)
        if api != "openai-variations":
            yield api, "dall-e-2", "prompt", ("x", "x" * 1000), ("", "x" * 1001)
            yield api, "dall-e-2", "quality", ("standard",), ("hd", "high")
    yield "openai-variations", "dall-e-2", "references", (1,), (0, 2)
    yield "openai-variations", "dall-e-2", "reference_bytes", (1, LIMIT_4 - 1), (LIMIT_4,)
    yield "openai-variations", "dall-e-2", "reference_format", ("png",), ("jpeg",)
    yield "openai-images", "dall-e-3", "prompt", ("x" * 4000,), ("x" * 4001,)
    yield "openai-images", "dall-e-3", "n", (1,), (0, 2)
    yield "openai-images", "dall-e-3", "size", ("1024x1024", "1792x1024", "1024x1792"), ("auto", "512x512", "1536x1024")
    yield "openai-images", "dall-e-3", "quality", ("standard", "hd"), ("high", "auto")
    yield "openai-images", "dall-e-3", "style", ("vivid", "natural"), ("loud", 1)
    yield "openai-images", "dall-e-3", "response_format", ("url", "b64_json"), ("b64",)
    yield "openai-images", "dall-e-3", "user", ("somebody",), (7,)


def _responses() -> Iterator[Row]:
    api = "openai-responses"
    for model in (*LIVING, *OLDER):
        yield api, model, "references", (0, 1, 1500), (1501,)
        yield api, model, "reference_format", ("png", "jpeg", "webp", "gif"), ("svg",)
        yield api, model, "action", ("generate", "edit", "auto"), ("draw", 1)
        yield api, model, "mainline_model", ("gpt-5.6",), (5, None)
        yield api, model, "detail", ("low", "high", "auto"), ("medium", 1)
        yield api, model, "max_tool_calls", (1, 5), (0, "1", True)
        yield api, model, "metadata", ({"sku": "A"},), ()
        yield api, model, "store", (True,), ("yes", 0)


def _toapis() -> Iterator[Row]:
    api, all_models = "toapis", ("gpt-4o-image", "gpt-image-2", "gpt-image-1.5-official", "gpt-image-2.5-flare")
    vip = ("gpt-image-2.5-sunburst", "gpt-image-2.5-flare-vip", "gpt-image-2.5-sunburst-vip")
    for model in (*all_models, *vip):
        yield api, model, "stream", (), (True, False)
    yield api, "gpt-4o-image", "prompt", ("x", "x" * 1000), ("", "x" * 1001)
    yield api, "gpt-4o-image", "size", ("1:1", "2:3", "3:2"), ("9:16", "1024x1024", "auto")
    yield api, "gpt-4o-image", "n", (1, 2, 3, 4), (0, 5, "2", True)
    yield api, "gpt-4o-image", "references", (0, 5), (6,)
    yield api, "gpt-4o-image", "quality", (), ("low",)
    for model in ("gpt-4o-image", "gpt-image-1.5-official"):
        yield api, model, "reference_bytes", (1, LIMIT_10), (LIMIT_10 + 1,)
        yield api, model, "reference_format", ("png", "jpeg", "webp"), ("gif",)
        yield api, model, "mask", ({}, {"size": LIMIT_4}), ({"size": LIMIT_4 + 1}, {"width": 511}, {"format": "jpeg"})
    yield api, "gpt-image-2", "prompt", ("x" * 4000,), ("x" * 4001,)
    yield api, "gpt-image-2", "n", (1,), (0, "1")
    yield api, "gpt-image-2", "resolution", ("1K", "2K", "4K"), ("8K", "1k", 1)
    yield api, "gpt-image-2", "response_format", ("url", "b64_json"), ("b64",)
    yield api, "gpt-image-1.5-official", "n", (1, 10), (0, 11)
    yield api, "gpt-image-1.5-official", "references", (0, 16), (17,)
    for model in ("gpt-image-2.5-flare", *vip):
        yield api, model, "n", (1,), (0, 2)
        yield api, model, "quality", ("auto", "low", "medium", "high", "xhigh", "max"), ("hd", 1)
        yield api, model, "references", (0,), (1,)


def _relays() -> Iterator[Row]:
    sizes = ("1024x768", "768x1024", "1024x1024", "1536x864", "864x1536", "1920x1080", "1080x1920", "1536x1536")
    yield "gpt-image-2", "gpt-image-2", "size", (*sizes, "2048x2048", "3840x2160", "2160x3840"), ("auto", "1:1", "", "0x0")
    yield "gpt-image-2", "gpt-image-2", "n", (1, 8), (0, 9, "1", True)
    yield "gpt-image-2", "gpt-image-2", "quality", ("low", "medium", "high"), ("auto", "hd", 1)
    yield "gpt-image-2", "gpt-image-2", "output_format", ("png", "jpeg", "webp"), ("gif", 1)
    yield "gpt-image-2", "gpt-image-2", "response_format", ("url", "b64_json"), ("b64", True)
    yield "gpt-image-2", "gpt-image-2", "aspect_ratio", (), ("16:9",)
    yield "chat", "gpt-4o-image", "size", ("1024x1024", "1024x1792", "1792x1024"), ("1536x1024", "auto", "1:1")
    yield "chat", "gpt-4o-image", "n", (1, 4), (0, "1", True)
    yield "chat", "gpt-4o-image", "quality", ("standard", "hd"), ("high", 1)
    yield "chat", "gpt-4o-image", "style", ("vivid", "natural"), ("loud",)
    yield "chat", "gpt-4o-image", "stream", (True, False), ("false", 0)
    yield "chat", "gpt-4o-image", "user", ("somebody",), (7,)


def _jobs() -> Iterator[Row]:
    yield "ttapi-4o", "gpt-4o-image", "n", (1,), (0, 2)
    yield "ttapi-4o", "gpt-4o-image", "size", (), ("1024x1024", "1:1")
    for name in ("quality", "style", "background", "output_format", "response_format"):
        yield "ttapi-4o", "gpt-4o-image", name, (), ("low",)
    newer = "ttapi-4o-newer"
    for model in ("gpt-4o-image", "gpt-image-1", "gpt-image-1.5", "gpt-image-2", "gpt-image-2-plus"):
        yield newer, model, "n", (1,), (0, 2)
    yield newer, "gpt-image-2", "size", RATIOS, ("3:2", "1024x1024", "auto")
    yield newer, "gpt-image-2-plus", "size", ("1024x640", "3840x2160", "3840x1280"), ("auto", "1:1", "1008x640", "3856x1600")
    for model in ("gpt-4o-image", "gpt-image-1", "gpt-image-1.5"):
        yield newer, model, "size", (), ("1:1", "1024x1024")

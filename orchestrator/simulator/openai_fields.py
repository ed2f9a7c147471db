"""Which orders OpenAI's image endpoints take (providers.md 5.3 and 5.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

from orchestrator.simulator.fields import Fields
from orchestrator.simulator.openai_pictures import read_form_pictures, read_json_pictures
from orchestrator.simulator.orders import Order
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference
    from orchestrator.simulator.openai_pictures import FindFile

__all__ = [
    "FAMILIES",
    "GPT_QUALITIES",
    "QUALITIES",
    "complaint",
    "family_of",
    "read_background",
    "read_edit",
    "read_fidelity",
    "read_generation",
    "read_size",
]

FAMILIES = {
    "gpt-image-2.5": ("gpt-image-2.5", "gpt-image-2.6"),
    "gpt-image-2": ("gpt-image-2",),
    "gpt-image-1": ("gpt-image-1", "chatgpt-image-latest"),
    "dall-e-3": ("dall-e-3",),
    "dall-e-2": ("dall-e-2",),
}
"""Beginnings of model names with common rules; retired models are kept, relays still sell them."""
OUTPUT_FIELDS = ("n", "size", "quality", "background", "output_format", "output_compression", "response_format")
SHARED_FIELDS = ("prompt", "model", *OUTPUT_FIELDS, "stream", "partial_images", "user")
GENERATION_FIELDS = (*SHARED_FIELDS, "moderation", "style", "complexity")
EDIT_FIELDS = (*SHARED_FIELDS, "image", "image[]", "images", "mask", "input_fidelity", "moderation")
GPT_ONLY_FIELDS = ("background", "moderation", "output_format", "output_compression", "stream", "partial_images")
LONGEST_PROMPT = {"dall-e-2": 1000, "dall-e-3": 4000}
QUALITIES = {
    "gpt-image-2.5": ("low", "medium", "high", "xhigh", "max", "auto"),
    "dall-e-3": ("standard", "hd", "auto"),
    "dall-e-2": ("standard", "auto"),
}
GPT_QUALITIES = ("low", "medium", "high", "auto")
SIZES = {
    "gpt-image-1": ("1024x1024", "1536x1024", "1024x1536", "auto"),
    "dall-e-3": ("1024x1024", "1792x1024", "1024x1792", "auto"),
    "dall-e-2": ("256x256", "512x512", "1024x1024", "auto"),
}
FREE_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
AUTO_SIZE = "1024x1024"
EDGE_STEP, LONGEST_EDGE, WIDEST_RATIO = 16, 3840, 3
FEWEST_PIXELS, MOST_PIXELS = 655_360, 8_294_400


def complaint(message: str, *, param: str, code: str) -> Refusal:
    """A 400 about one field."""
    return Refusal(message, code=code, param=param)


def family_of(model: str) -> str:
    """Which rules a model follows; raises Refusal for a model nobody sells."""
    for family, beginnings in FAMILIES.items():
        if model.startswith(beginnings):
            return family
    raise Refusal(f"The model '{model}' does not exist.", status=404, code="model_not_found", param="model")


def read_generation(arrival: Arrival, *, delivery: Literal["b64", "url"]) -> Order:
    """The order in a JSON request for new pictures; raises Refusal for the first field that is wrong."""
    if arrival.json is None:
        raise complaint(arrival.problem or "The body is not JSON.", param="body", code="invalid_json")
    fields = Fields(arrival.json, complaint)
    fields.refuse_unknown(GENERATION_FIELDS)
    default = "gpt-image-1" if any(name in fields for name in GPT_ONLY_FIELDS) else "dall-e-2"
    return _read(fields, default_model=default, delivery=delivery)


def read_edit(arrival: Arrival, *, delivery: Literal["b64", "url"], find_file: FindFile) -> Order:
    """The order in an edit, form or JSON; raises Refusal for the first field that is wrong."""
    if arrival.problem is not None:
        raise complaint(arrival.problem, param="body", code="invalid_body")
    is_form = arrival.json is None
    fields = Fields(arrival.values, complaint, from_form=is_form)
    fields.refuse_unknown(EDIT_FIELDS)
    references, mask = read_form_pictures(arrival.files) if is_form else read_json_pictures(fields, find_file)
    return _read(fields, default_model="gpt-image-1.5", delivery=delivery, references=references, mask=mask)


def _read(
    fields: Fields,
    *,
    default_model: str,
    delivery: Literal["b64", "url"],
    references: tuple[Reference, ...] = (),
    mask: Reference | None = None,
) -> Order:
    model = fields.text("model", default=default_model)
    family = family_of(model)
    streams = _read_stream(fields, family)
    size, width, height = read_size(fields, family)
    quality = fields.choice("quality", QUALITIES.get(family, GPT_QUALITIES), default="auto")
    background, picture_format = read_background(fields)
    return Order(
        model=model,
        prompt=fields.prompt(LONGEST_PROMPT.get(family, 32_000)),
        n=fields.integer("n", default=1, low=1, high=1 if family == "dall-e-3" else 10),
        size=size,
        width=width,
        height=height,
        quality="high" if quality == "auto" else quality,
        background="transparent" if background == "transparent" else "opaque",
        format=picture_format,
        compression=fields.integer("output_compression", default=100, low=0, high=100),
        high_fidelity=read_fidelity(fields, family),
        delivery=_read_delivery(fields, family, delivery),
        references=references,
        mask=mask,
        stream=streams,
        partial_images=fields.integer("partial_images", default=0, low=0, high=3),
    )


def _read_stream(fields: Fields, family: str) -> bool:
    streams = fields.flag("stream")
    if streams and family.startswith("dall-e"):
        raise complaint("This model does not stream.", param="stream", code="unsupported_value")
    if fields.raw("partial_images") is not None and not streams:
        raise complaint("'partial_images' needs 'stream'.", param="partial_images", code="invalid_value")
    return streams


def read_size(fields: Fields, family: str) -> tuple[str, int, int]:
    """The size as it will be, and its pixels."""
    size = fields.choice("size", SIZES[family], default="auto") if family in SIZES else fields.text("size", default="auto")
    size = AUTO_SIZE if size == "auto" else size
    match = FREE_SIZE.fullmatch(size)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if family not in SIZES and not _is_free_size(width, height):
        raise complaint(f"Invalid size '{size}'.", param="size", code="invalid_value")
    return size, width, height


def _is_free_size(width: int, height: int) -> bool:
    """The rules of gpt-image-2 and later."""
    longer, shorter = max(width, height), min(width, height)
    is_on_grid = width % EDGE_STEP == 0 and height % EDGE_STEP == 0
    is_in_shape = longer <= min(LONGEST_EDGE, WIDEST_RATIO * shorter)
    return is_on_grid and is_in_shape and FEWEST_PIXELS <= width * height <= MOST_PIXELS


def read_background(fields: Fields) -> tuple[str, Literal["png", "jpeg", "webp"]]:
    """The background and the format, which must go together."""
    picture_format = fields.choice("output_format", ("png", "jpeg", "webp"), default="png")
    background = fields.choice("background", ("transparent", "opaque", "auto"), default="auto")
    if background == "transparent" and picture_format == "jpeg":
        raise complaint("Transparent background needs png or webp.", param="background", code="invalid_value")
    return background, cast("Literal['png', 'jpeg', 'webp']", picture_format)


def read_fidelity(fields: Fields, family: str) -> bool:
    """Whether references are to be kept in detail."""
    if "input_fidelity" in fields and family != "gpt-image-1":
        raise complaint("This model does not take 'input_fidelity'.", param="input_fidelity", code="unsupported_parameter")
    return fields.choice("input_fidelity", ("low", "high"), default="low") == "high"


def _read_delivery(fields: Fields, family: str, delivery: Literal["b64", "url"]) -> Literal["b64", "url"]:
    """GPT image models deliver in one way and refuse the question; dall-e lets its client choose."""
    if not family.startswith("dall-e"):
        if "response_format" in fields:
            raise complaint("Unknown parameter: 'response_format'.", param="response_format", code="unknown_parameter")
        return delivery
    chosen = fields.choice("response_format", ("url", "b64_json"), default="url")
    return "url" if chosen == "url" else "b64"

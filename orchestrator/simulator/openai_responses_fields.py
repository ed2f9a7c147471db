"""Which orders OpenAI's Responses API takes (providers.md 5.7): one image tool, called by a text model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.simulator.fields import Fields
from orchestrator.simulator.openai_fields import (
    GPT_QUALITIES,
    QUALITIES,
    complaint,
    family_of,
    read_background,
    read_fidelity,
    read_size,
)
from orchestrator.simulator.openai_pictures import picture_at
from orchestrator.simulator.orders import Order

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference

__all__ = ["Earlier", "read_response_order"]

REQUEST_FIELDS = (
    "model", "input", "tools", "tool_choice", "previous_response_id", "background", "store", "stream", "max_tool_calls",
    "metadata", "user", "instructions", "include", "parallel_tool_calls", "temperature", "top_p", "reasoning", "truncation",
)  # fmt: skip
TOOL_FIELDS = (
    "type", "model", "quality", "size", "output_format", "output_compression", "moderation", "background", "input_fidelity",
    "input_image_mask", "partial_images", "action", "complexity",
)  # fmt: skip
MAINLINE = ("gpt-4o", "gpt-4.1", "o3", "gpt-5", "gpt-6")
"""Beginnings of the names of models that can call the tool."""
DEFAULT_IMAGE_MODEL = "gpt-image-1"
LONGEST_PROMPT = 32_000


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What an order may refer to; both raise Refusal for what is not there."""

    response: Callable[[str], None]
    call: Callable[[str], None]
    file: Callable[[str, str], Reference]
    """(field, file id) -> the picture."""


def read_response_order(arrival: Arrival, earlier: Earlier) -> Order:
    """The order in a request; raises Refusal for the first field that is wrong."""
    if arrival.json is None:
        raise complaint(arrival.problem or "The body is not JSON.", param="body", code="invalid_json")
    fields = Fields(arrival.json, complaint)
    fields.refuse_unknown(REQUEST_FIELDS)
    mainline = _read_mainline(fields)
    prompt, references = _read_input(fields, earlier)
    previous = fields.raw("previous_response_id")
    if previous is not None:
        earlier.response(fields.text("previous_response_id"))
    response = {
        "model": mainline,
        "background": fields.flag("background"),
        "store": fields.raw("store") is not False,
        "previous_response_id": previous,
        "metadata": fields.raw("metadata") or {},
        "tool_choice": fields.raw("tool_choice") or "auto",
        "tool": _tool(fields),
    }
    return _order(Fields(_tool(fields), _in_tool), prompt, references, earlier, response, streams=fields.flag("stream"))


def _order(
    tool: Fields, prompt: str, references: tuple[Reference, ...], earlier: Earlier, response: Mapping[str, Any], *, streams: bool
) -> Order:
    tool.refuse_unknown(TOOL_FIELDS)
    model = tool.text("model", default=DEFAULT_IMAGE_MODEL)
    family = family_of(model)
    size, width, height = read_size(tool, family)
    quality = tool.choice("quality", QUALITIES.get(family, GPT_QUALITIES), default="auto")
    background, picture_format = read_background(tool)
    tool.choice("action", ("generate", "edit", "auto"), default="auto")
    tool.choice("moderation", ("auto", "low"), default="auto")
    mask = tool.raw("input_image_mask")
    return Order(
        model=model,
        prompt=Fields({"prompt": prompt}, complaint).prompt(LONGEST_PROMPT),
        size=size,
        width=width,
        height=height,
        quality="high" if quality == "auto" else quality,
        background="transparent" if background == "transparent" else "opaque",
        format=picture_format,
        compression=tool.integer("output_compression", default=100, low=0, high=100),
        high_fidelity=read_fidelity(tool, family),
        delivery="b64",
        references=references,
        mask=None if mask is None else _picture(mask, "input_image_mask", earlier),
        stream=streams,
        partial_images=tool.integer("partial_images", default=0, low=0, high=3),
        response=response,
    )


def _read_mainline(fields: Fields) -> str:
    model = fields.text("model")
    if not model.startswith(MAINLINE):
        raise complaint(f"The model '{model}' cannot be used with the Responses API.", param="model", code="model_not_found")
    return model


def _tool(fields: Fields) -> dict[str, Any]:
    tools = fields.raw("tools")
    listed = tools if isinstance(tools, list) else []
    found = [tool for tool in listed if isinstance(tool, dict) and tool.get("type") == "image_generation"]
    if len(found) != 1 or len(listed) != 1:
        raise complaint("Exactly one tool of type 'image_generation' is simulated.", param="tools", code="invalid_value")
    return found[0]


def _in_tool(message: str, *, param: str, code: str) -> Any:  # noqa: ANN401 -- the refusal of openai_fields
    return complaint(message, param=f"tools[0].{param}", code=code)


def _read_input(fields: Fields, earlier: Earlier) -> tuple[str, tuple[Reference, ...]]:
    content = fields.raw("input")
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list) or not content:
        raise complaint("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    texts, pictures = list[str](), list["Reference"]()
    for item in content:
        if isinstance(item, dict) and item.get("type") == "image_generation_call":
            earlier.call(str(item.get("id")))
            continue
        for part in _parts(item):
            if part.get("type") == "input_text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif part.get("type") == "input_image":
                pictures.append(_picture(part, "input", earlier))
            else:
                raise complaint("Expected 'input_text' or 'input_image'.", param="input", code="invalid_value")
    return "\n".join(texts), tuple(pictures)


def _parts(item: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- whatever JSON the client sent
    content = item.get("content") if isinstance(item, dict) and item.get("role") in ("user", "developer", "system") else None
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise complaint("Invalid item in 'input'.", param="input", code="invalid_value")
    return content


def _picture(value: Any, field: str, earlier: Earlier) -> Reference:  # noqa: ANN401 -- whatever JSON the client sent
    return picture_at(value, field, earlier.file)

"""Which orders a chat gateway takes (providers.md 4): one user message, its text or its parts, and the fields of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.simulator.fields import Fields
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_pictures import read_json_pictures
from orchestrator.simulator.orders import Order
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference

__all__ = ["read_chat"]

MODEL = "gpt-4o-image"
FIELDS = ("model", "messages", "n", "size", "quality", "style", "stream", "user")
SIZES = ("1024x1024", "1024x1792", "1792x1024")
MOST_IMAGES = 10
LONGEST_PROMPT = 32_000


def read_chat(arrival: Arrival) -> Order:
    """The order in a chat; raises Refusal for the first field that is wrong."""
    if arrival.json is None:
        raise complaint(arrival.problem or "The body is not JSON.", param="body", code="invalid_json")
    fields = Fields(arrival.json, complaint)
    fields.refuse_unknown(FIELDS)
    model = fields.text("model")
    if model != MODEL:
        raise Refusal(f"No channel for the model {model}: invalid apitype: -1", code="model_not_found", param="model")
    prompt, references = _read_message(fields.raw("messages"))
    size = fields.choice("size", SIZES, default=SIZES[0])
    width, height = (int(edge) for edge in size.split("x"))
    fields.choice("style", ("vivid", "natural"), default="vivid")
    return Order(
        model=model,
        prompt=Fields({"prompt": prompt}, complaint).prompt(LONGEST_PROMPT),
        n=fields.integer("n", default=1, low=1, high=MOST_IMAGES),
        size=size,
        width=width,
        height=height,
        quality=fields.choice("quality", ("standard", "hd"), default="standard"),
        references=references,
    )


def _read_message(messages: Any) -> tuple[str, tuple[Reference, ...]]:  # noqa: ANN401 -- whatever JSON the client sent
    message = messages[0] if isinstance(messages, list) and len(messages) == 1 else None
    if not isinstance(message, dict) or message.get("role") != "user":
        raise complaint("Expected one message of the user.", param="messages", code="invalid_value")
    content = message.get("content")
    if isinstance(content, str):
        return content, ()
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [str(part.get("text")) for part in parts if part.get("type") == "text"]
    images = [part.get("image_url") for part in parts if part.get("type") == "image_url"]
    if len(texts) + len(images) != len(content or ()) or not images:
        raise complaint("Expected text and image_url parts.", param="messages", code="invalid_value")
    objects = [{"image_url": image.get("url")} if isinstance(image, dict) else None for image in images]
    references, _ = read_json_pictures(Fields({"images": objects}, complaint))
    return "\n".join(texts), references

"""Token counts as OpenAI reports them (providers.md F.2 and F.4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.simulator.ledger import Reference
    from orchestrator.simulator.orders import Order

__all__ = ["output_tokens", "usage"]

TABLE = {
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208},
}
"""Per image of the gpt-image-1 family."""
FACTORS = {
    "gpt-image-2": {"low": 16, "medium": 48, "high": 96},
    "gpt-image-2.5": {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96},
}
"""The q of the formula for later families; 2.6 is taken as 2.5."""
PREVIEW_TOKENS = 100
"""For each partial picture."""
CHARACTERS_PER_TOKEN = 4
TILE = 512
REFERENCE_TOKENS_LATER = 1024
"""Per reference of later families, whose formula nobody published; ToAPIs reports this number."""


def usage(order: Order, family: str) -> dict[str, Any]:
    """The `usage` object of an answer."""
    text = max(1, math.ceil(len(order.prompt) / CHARACTERS_PER_TOKEN))
    image = sum(_reference_tokens(reference, order, family) for reference in order.references)
    output = order.n * (output_tokens(order, family) + PREVIEW_TOKENS * order.partial_images)
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"image_tokens": image, "text_tokens": text},
        "output_tokens": output,
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
        "total_tokens": text + image + output,
    }


def output_tokens(order: Order, family: str) -> int:
    """Tokens of one picture."""
    if family not in FACTORS:
        return TABLE[order.quality][order.size]
    longer, shorter = max(order.width, order.height), min(order.width, order.height)
    factor = FACTORS[family][order.quality]
    rows = (2 * factor * shorter + longer) // (2 * longer)
    return math.ceil(factor * rows * (2_000_000 + order.width * order.height) / 4_000_000)


def _reference_tokens(reference: Reference, order: Order, family: str) -> int:
    """A URL's picture is not fetched; it counts as a square of 1024 pixels."""
    if family in FACTORS:
        return REFERENCE_TOKENS_LATER
    width, height = reference.width or 1024, reference.height or 1024
    scale = TILE / min(width, height)
    tiles = math.ceil(width * scale / TILE) * math.ceil(height * scale / TILE)
    fidelity = 0 if not order.high_fidelity else 4160 if width == height else 6240
    return 65 + 129 * tiles + fidelity

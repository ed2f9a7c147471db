from __future__ import annotations

import pytest

from orchestrator.simulator.openai_usage import output_tokens
from orchestrator.simulator.orders import Order

PUBLISHED = {
    (1024, 1024): (196, 1756, 7024),
    (1024, 1536): (158, 1372, 5488),
    (1024, 768): (134, 1204, 4815),
    (864, 1536): (120, 1078, 4312),
    (2048, 1152): (157, 1413, 5650),
    (2048, 2048): (397, 3568, 14272),
    (3840, 2160): (371, 3336, 13342),
}


@pytest.mark.parametrize(("pixels", "expected"), PUBLISHED.items())
def test_the_formula_gives_the_published_counts(pixels: tuple[int, int], expected: tuple[int, int, int]) -> None:
    counts = [
        output_tokens(Order(model="gpt-image-2", prompt="a", width=pixels[0], height=pixels[1], quality=quality), "gpt-image-2")
        for quality in ("low", "medium", "high")
    ]
    assert tuple(counts) == expected


def test_the_first_family_is_counted_by_table() -> None:
    order = Order(model="gpt-image-1", prompt="a", width=1536, height=1024, size="1536x1024", quality="medium")
    assert output_tokens(order, "gpt-image-1") == 1568

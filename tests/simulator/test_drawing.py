from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from orchestrator.simulator import Picture, draw


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize(("width", "height"), [(16, 16), (300, 200), (64, 640)])
def test_every_format_and_size_is_a_whole_picture(image_format: str, width: int, height: int) -> None:
    content = draw(Picture(prompt="a kite", index=0, width=width, height=height, format=image_format))  # type: ignore[arg-type]
    with Image.open(BytesIO(content)) as image:
        image.load()
        assert image.size == (width, height)
        assert image.format == image_format.upper()


@pytest.mark.parametrize("side", [16, 64, 300])
def test_prompts_and_indices_can_be_told_apart(side: int) -> None:
    drawn = {
        draw(Picture(prompt=prompt, index=index, width=side, height=side))
        for prompt in ("a kite", "a cat", "")
        for index in range(3)
    }
    assert len(drawn) == 9


def test_equal_pictures_have_equal_bytes() -> None:
    first = draw(Picture(prompt="a kite", index=0, width=300, height=300))
    draw.cache_clear()
    assert draw(Picture(prompt="a kite", index=0, width=300, height=300)) == first


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_a_transparent_picture_has_an_empty_edge(image_format: str) -> None:
    content = draw(Picture(prompt="a", index=0, width=200, height=200, format=image_format, transparent=True))  # type: ignore[arg-type]
    with Image.open(BytesIO(content)) as image:
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("prompt", ["кит и кот " * 50, "一只猫" * 900, "\ud800 broken", "\n\t\x00", "🐈" * 100])
def test_any_text_can_be_drawn(prompt: str) -> None:
    assert draw(Picture(prompt=prompt, index=0, width=256, height=256)).startswith(b"\x89PNG")

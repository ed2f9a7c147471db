"""Real pictures that say which prompt they belong to."""

from __future__ import annotations

import asyncio
import hashlib
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Picture", "draw", "render"]

SMALLEST_WITH_TEXT = 128
"""Pixels of the shorter side below which letters would be dust and only cost time."""
DRAWN_AT_ONCE = 256 * 256
"""Pixels up to which drawing takes about as long as a change of threads."""
CHARACTER_SHARE = 0.6
"""Width of an average letter as a share of the font size."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All that decides how a result looks; equal pictures have equal bytes. `compression` is 0 to 100."""

    prompt: str
    index: int
    width: int
    height: int
    format: Literal["png", "jpeg", "webp"] = "png"
    transparent: bool = False
    compression: int = 100


async def render(picture: Picture) -> bytes:
    """The encoded picture, drawn in a thread when it is big enough to hold up other requests."""
    if picture.width * picture.height <= DRAWN_AT_ONCE:
        return draw(picture)
    return await asyncio.to_thread(draw, picture)


@lru_cache(maxsize=64)
def draw(picture: Picture) -> bytes:
    """The encoded picture: its prompt on two colours that depend on prompt and index."""
    digest = hashlib.sha256(f"{picture.prompt}\0{picture.index}".encode("utf-8", "surrogatepass")).digest()
    ground, frame = _colour(digest[:3]), _colour(digest[3:6])
    size = (picture.width, picture.height)
    image = Image.new("RGBA", size, (0, 0, 0, 0)) if picture.transparent else Image.new("RGB", size, frame)
    image.paste(ground, _inner_box(size))
    if min(size) >= SMALLEST_WITH_TEXT:
        _write(image, picture)
    return _encode(image, picture)


def _colour(digest: bytes) -> Colour:
    """Dark enough for white letters."""
    return (digest[0] // 2, digest[1] // 2, digest[2] // 2)


def _inner_box(size: tuple[int, int]) -> tuple[int, int, int, int]:
    border = min(size) // 16 + 1
    return (border, border, max(size[0] - border, border), max(size[1] - border, border))


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _write(image: Image.Image, picture: Picture) -> None:
    font_size = max(10, min(image.size) // 20)
    margin = min(image.size) // 10
    columns = max(1, int((image.width - 2 * margin) / (font_size * CHARACTER_SHARE)))
    rows = max(1, int((image.height - 4 * margin) / (font_size * 1.3)))
    printable = picture.prompt.encode("utf-8", "replace").decode()
    text = "\n".join(textwrap.wrap(printable, columns, max_lines=rows, placeholder=" ..."))
    pen = ImageDraw.Draw(image)
    pen.text((margin, margin), f"#{picture.index}  {picture.width}x{picture.height}", "yellow", font=_font(font_size))
    pen.multiline_text((margin, 2.5 * margin), text, "white", font=_font(font_size))


def _encode(image: Image.Image, picture: Picture) -> bytes:
    target = BytesIO()
    if picture.format == "png":
        image.save(target, "PNG", compress_level=1)
    else:
        image.save(target, picture.format.upper(), quality=picture.compression)
    return target.getvalue()

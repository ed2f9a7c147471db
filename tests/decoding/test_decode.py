import hashlib
import os
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from orchestrator.decoding.decode import inspect
from orchestrator.decoding.facts import ImageFacts, NotAnImage, UnsafeImage

from .pictures import FORMATS, picture, progressive_jpeg


def inspected(content: bytes) -> ImageFacts:
    return inspect(BytesIO(content))


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_image_is_told_by_its_bytes(form: str) -> None:
    content = picture(form)
    facts = inspected(content)
    assert (facts.format, facts.width, facts.height, facts.frames) == (form.lower(), 48, 40, 1)
    assert (facts.sha256, facts.bytes) == (hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF"])
def test_transparency_is_seen(form: str) -> None:
    assert inspected(picture(form, mode="RGBA")).alpha
    assert not inspected(picture(form, mode="RGB")).alpha


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_every_frame_of_an_animation_is_decoded(form: str) -> None:
    assert inspected(picture(form, frames=3)).frames == 3


@pytest.mark.parametrize("content", [*(picture(form) for form in FORMATS), progressive_jpeg()], ids=[*FORMATS, "progressive"])
def test_an_image_cut_anywhere_is_refused(content: bytes) -> None:
    step = max(1, len(content) // 150)
    cuts = {*range(0, len(content), step), *range(max(0, len(content) - 40), len(content))}
    for cut in sorted(cuts):
        with pytest.raises(NotAnImage):
            inspected(content[:cut])


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_cut_anywhere_is_refused(form: str) -> None:
    content = picture(form, frames=3)
    for cut in range(0, len(content), max(1, len(content) // 60)):
        with pytest.raises(NotAnImage):
            inspected(content[:cut])


def test_a_flipped_bit_in_a_png_is_refused() -> None:
    content = picture("PNG")
    for position in range(8, len(content), 97):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        with pytest.raises((NotAnImage, UnsafeImage)):
            inspected(bytes(damaged))


def test_bytes_behind_the_end_of_an_image_do_no_harm() -> None:
    for form in ("PNG", "JPEG", "WEBP"):
        assert inspected(picture(form) + b"\n").format == form.lower()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><head><title>Link expired</title></head>", "HTML page that says 'Link expired'"),
        (b'<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code></Error>', "XML document that says"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
        (b'{"error": "gone"}', "JSON"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (os.urandom(0) + b"\x00\x01\x02\x03", "no image of a known format"),
        (b"\x89PNG\r\n\x1a\n", "PNG that is damaged or cut short"),
        (picture("BMP"), "no image of a known format"),
        (picture("TIFF"), "no image of a known format"),
    ],
)
def test_what_is_no_image_is_refused_by_what_it_looks_like(content: bytes, words: str) -> None:
    with pytest.raises(NotAnImage, match=words):
        inspected(content)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("size", [(16_385, 1), (1, 16_385), (8_000, 8_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_too_large_to_be_safe_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(UnsafeImage):
        inspected(bomb)


def test_a_text_chunk_that_unpacks_to_gigabytes_is_refused() -> None:
    whole = picture("PNG")
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * (80 << 20), 9))
    with pytest.raises(NotAnImage, match="PNG"):
        inspected(whole[:33] + bomb + whole[33:])


@pytest.mark.parametrize("size", [(3840, 2160), (4096, 4096)])
def test_the_largest_sizes_that_are_sold_pass(size: tuple[int, int]) -> None:
    buffer = BytesIO()
    Image.new("RGB", size).save(buffer, "PNG", compress_level=1)
    assert (inspected(buffer.getvalue()).width, inspected(buffer.getvalue()).height) == size


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def speckled(pixels: int, mode: str = "RGB") -> Image.Image:
    """One colour but for so many pixels, of 10,000, each of a colour of its own."""
    image = Image.new(mode, (100, 100))
    for number in range(pixels):
        image.putpixel((number, number), (number + 1, 0, 0) if mode == "RGB" else number + 1)
    return image


@pytest.mark.parametrize("form", FORMATS)
def test_an_image_of_a_single_colour_is_told_in_every_format(form: str) -> None:
    assert inspected(encoded(Image.new("RGB", (64, 64), (20, 20, 20)), form)).one_colour == 1
    assert inspected(picture(form)).one_colour == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "I;16", "1", "LA", "RGBA"])
def test_an_image_of_a_single_colour_is_told_in_every_mode(mode: str) -> None:
    assert inspected(encoded(Image.new(mode, (64, 64)))).one_colour == 1


@pytest.mark.parametrize(("others", "share"), [(0, 1), (10, 0.999), (11, 0)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_nearly_one_colour_means_999_pixels_of_a_thousand(others: int, share: float, mode: str) -> None:
    assert inspected(encoded(speckled(others, mode))).one_colour == share


def test_a_wholly_transparent_image_has_one_colour_whatever_is_hidden_in_it() -> None:
    hidden = Image.open(BytesIO(picture("PNG", mode="RGBA")))
    hidden.putalpha(0)
    assert inspected(encoded(hidden)).one_colour == 1


def test_an_animation_has_one_colour_only_when_all_its_frames_have() -> None:
    blank, drawn = Image.new("RGB", (48, 40)), Image.open(BytesIO(picture("PNG")))
    assert inspected(encoded(blank, "GIF", save_all=True, append_images=[drawn])).one_colour == 0
    assert inspected(encoded(drawn, "GIF", save_all=True, append_images=[blank])).one_colour == 0


def test_metadata_of_a_stranger_is_data_and_nothing_of_it_is_told() -> None:
    note = PngInfo()
    note.add_text("Comment", "\x1b]0;pwned\x07")
    assert "pwned" not in repr(inspected(encoded(Image.new("RGB", (8, 8)), pnginfo=note)))

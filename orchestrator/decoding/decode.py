"""Whether bytes are a whole image and a safe one; told from the bytes alone. Meant for a worker process."""

import hashlib
import html
import os
import re
import warnings
from typing import Any, BinaryIO

# Each format is imported by name: Pillow would load every plugin it has to find the last of them.
from PIL import AvifImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from orchestrator.decoding.facts import ImageFacts, NotAnImage, UnsafeImage
from orchestrator.decoding.wholeness import is_whole

MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384
"""Pixels (reliability.md d.2)."""
_NEARLY_ALL = 0.999
"""Share of pixels from which an image counts as one of a single colour."""
_CODEC_NOISE = 8
"""Levels of 256 by which lossy formats change what was even."""

_PLUGINS = (PngImagePlugin, JpegImagePlugin, WebPImagePlugin, GifImagePlugin, AvifImagePlugin)
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
_MULTI_PICTURE = "MPO"
"""A JPEG with further pictures behind the first, as cameras write it."""


def inspect(file: BinaryIO) -> ImageFacts:
    """Decode a file to its last pixel and return what it is.

    Raises `NotAnImage`, `UnsafeImage`, or `OSError` when the disk fails. Flipped bits in JPEG and WebP decode and go unnoticed.
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed wants readinto, files have it
    size = file.seek(0, os.SEEK_END)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(file, digest, size)
    except (NotAnImage, UnsafeImage):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise UnsafeImage(f"the image is too large to decode: {error or 'out of memory'}") from error
    except Exception as error:  # hostile bytes make a decoder raise anything at all
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotAnImage(f"{looks_like(file)}: {error}") from error


def _decoded(file: BinaryIO, digest: str, size: int) -> ImageFacts:
    with _opened(file) as image:
        _check_size(image)
        form = "jpeg" if image.format == _MULTI_PICTURE else str(image.format).lower()
        position = file.tell()
        if not is_whole(file, form):
            raise NotAnImage(looks_like(file))
        file.seek(position)
        frames = 1 if image.format == _MULTI_PICTURE else getattr(image, "n_frames", 1)
        blank = 1.0
        for frame in range(frames):
            image.seek(frame)
            _check_size(image)
            image.load()
            blank = blank and min(blank, _one_colour(image))
        width, height = image.size
        alpha = image.has_transparency_data
        return ImageFacts(
            format=form,
            width=width,
            height=height,
            frames=frames,
            alpha=alpha,
            mode=image.mode,
            sha256=digest,
            bytes=size,
            one_colour=blank,
        )


def _one_colour(image: Image.Image) -> float:
    """Return the share of the commonest colour, or of what is wholly transparent; 0 when it is below `_NEARLY_ALL`."""
    if _is_even(image):
        return 1.0
    if image.mode.startswith("I;16"):  # Pillow counts no colours there
        return 0.0
    pixels = image.width * image.height
    # An image that is nearly of one colour has few others, so that counting ends early in any other image.
    colours = image.getcolors(int(pixels * (1 - _NEARLY_ALL)) + 1) or []
    most = max((count for count, _ in colours), default=0)
    if "A" in image.getbands():
        most = max(most, image.getchannel("A").histogram()[0])
    return most / pixels if most >= _NEARLY_ALL * pixels else 0.0


def _is_even(image: Image.Image) -> bool:
    """Whether no channel varies by more than the noise a lossy format adds; the numbers of a palette are no colours."""
    found: Any = image.getextrema()
    ranges = found if isinstance(found[0], tuple) else (found,)
    return all(high - low <= (0 if image.mode == "P" else _CODEC_NOISE) for low, high in ranges)


def _opened(file: BinaryIO) -> Image.Image:
    file.seek(0)
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise NotAnImage(looks_like(file)) from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise UnsafeImage(f"the image measures {width} x {height} pixels, more than is safe to decode")


_SIGNATURES = (
    (rb"\x89PNG\r\n", "a PNG that is damaged or cut short"),
    (rb"\xff\xd8\xff", "a JPEG that is damaged or cut short"),
    (rb"RIFF....WEBP", "a WebP that is damaged or cut short"),
    (rb"GIF8", "a GIF that is damaged or cut short"),
    (rb"....ftypavi[fs]", "an AVIF that is damaged or cut short"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"\x1f\x8b", "gzip data"),
    (rb"(?i)\s*(<\?xml[^>]*>\s*)?<svg", "an SVG drawing, which is no bitmap"),
    (rb"(?i)\s*<(!doctype html|html|head|body)", "an HTML page"),
    (rb"\s*<", "an XML document"),
    (rb"\s*[{\[]", "JSON"),
)


def looks_like(file: BinaryIO) -> str:
    """Return in words what a file that is no whole image seems to be."""
    file.seek(0)
    start = file.read(2048)
    if not start:
        return "the file is empty"
    for signature, words in _SIGNATURES:
        if re.match(signature, start, re.DOTALL):
            return f"the file is {words}{_saying(start)}"
    return f"the file is no image of a known format; it begins with {start[:16]!r}"


def _saying(start: bytes) -> str:
    """Return the words of a page or message, which often tell what went wrong; nothing for binary data."""
    if start.lstrip()[:1] not in (b"<", b"{", b"["):
        return ""
    text = start.decode("utf-8", "replace")
    title = re.search(r"(?is)<title>(.*?)</title>", text)
    words = " ".join(html.unescape(title[1] if title else text).split())[:80]
    return f" that says {words!r}"

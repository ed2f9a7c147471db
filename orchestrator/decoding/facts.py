"""What decoding tells of an image, or why it tells nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


class NotAnImage(Exception):
    """The bytes are no image, or not a whole one; the message says what they look like."""


class UnsafeImage(Exception):
    """An image that is too large, or that its decoder could not bear."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What the bytes of an image say."""

    format: str
    """png, jpeg, webp, gif or avif."""
    width: int
    height: int
    """Pixels."""
    frames: int
    alpha: bool
    mode: str
    """Pillow's name of the pixel layout, such as RGB."""
    sha256: str
    """Hex digest of the file."""
    bytes: int
    one_colour: float
    """Share of the pixels that have the commonest colour, in the fullest frame; 0 when it is below 99.9 %."""


Decode = Callable[[BinaryIO], ImageFacts]


def extension_of(form: str) -> str:
    """Return the file name extension of an image format."""
    return "jpg" if form == "jpeg" else form

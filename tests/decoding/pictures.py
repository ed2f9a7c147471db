"""Real images for these tests, the same bytes every time."""

import random
from io import BytesIO

from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def picture(form: str = "PNG", *, size: tuple[int, int] = (48, 40), mode: str = "RGB", frames: int = 1, seed: int = 7) -> bytes:
    drawn = [_noise(size, mode, seed + number) for number in range(frames)]
    buffer = BytesIO()
    more = {"save_all": True, "append_images": drawn[1:]} if frames > 1 else {}
    drawn[0].save(buffer, form, **more)
    return buffer.getvalue()


def progressive_jpeg() -> bytes:
    buffer = BytesIO()
    _noise((48, 40), "RGB", 7).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


def _noise(size: tuple[int, int], mode: str, seed: int) -> Image.Image:
    pixels = random.Random(seed).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands()))
    return Image.frombytes(mode, size, pixels)

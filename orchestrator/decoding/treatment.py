"""What happens to a user's own image before it goes to a provider: upright, without private data, made to fit if allowed.

An image that needs nothing goes as it is, byte for byte. Meant for a worker process.
"""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageOps

from orchestrator.decoding import durable
from orchestrator.decoding.facts import Decode, NotAnImage
from orchestrator.decoding.replies import Reply

_ORIENTATION = 0x0112
_UPRIGHT = 1
_PRIVATE = ("exif", "xmp", "XML:com.adobe.xmp", "photoshop", "comment")
"""Where Pillow keeps what cameras and editors write beside the pixels: place, time, device, owner."""
_QUALITY = 95
_STEP = 0.85
"""By how much an image is shrunk at a time until it is small enough."""
_LEAST_SIDE = 64


def treat_file(
    decode: Decode, *, path: str, folder: str, name: str, formats: Sequence[str] | None, most_bytes: int | None, to_alpha: bool
) -> Reply:
    """Write what is to be sent for the image at `path` as `folder/name`, and return its facts; `{}` when it may go as it is.

    `formats` and `most_bytes` are what the target takes, None what is not to be changed; `to_alpha` makes the black of a mask
    transparent. Raises `NotAnImage` when it cannot be made to fit.
    """
    with durable.read(os.path.realpath(path)) as file:
        return _treat(decode, file, folder, name, formats, most_bytes, to_alpha)


def treat_bytes(
    decode: Decode,
    *,
    content: bytes,
    folder: str,
    name: str,
    formats: Sequence[str] | None,
    most_bytes: int | None,
    to_alpha: bool,
) -> Reply:
    """Do the same for an image that lies nowhere, such as one that a URL showed."""
    return _treat(decode, io.BytesIO(content), folder, name, formats, most_bytes, to_alpha)


def _treat(
    decode: Decode, file: BinaryIO, folder: str, name: str, formats: Sequence[str] | None, most_bytes: int | None, to_alpha: bool
) -> Reply:
    decode(file)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with Image.open(file) as image:
        form = _form(image)
        fits = (formats is None or form in formats) and (most_bytes is None or size <= most_bytes)
        if fits and not to_alpha and not _is_private(image):
            return {}
        treated = _treated(image, form if formats is None or form in formats else _other(image, formats), most_bytes, to_alpha)
    _keep(treated, folder, name)
    facts = decode(io.BytesIO(treated))
    return {
        "sha256": facts.sha256,
        "size": facts.bytes,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "alpha": facts.alpha,
    }


def _form(image: Image.Image) -> str:
    return "jpeg" if image.format in ("JPEG", "MPO") else str(image.format).lower()


def _is_private(image: Image.Image) -> bool:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        return False  # an animation is taken as it is: its frames would be lost
    return any(image.info.get(name) for name in _PRIVATE) or bool(image.getexif())


def _other(image: Image.Image, formats: Sequence[str]) -> str:
    """Return the format that keeps most of an image, of those the target takes."""
    wanted = ("png", "webp", "jpeg") if image.has_transparency_data else ("png", "jpeg", "webp")
    for form in wanted:
        if form in formats:
            return form
    raise NotAnImage(f"it cannot be turned into one of {', '.join(formats)}")


def _treated(image: Image.Image, form: str, most_bytes: int | None, to_alpha: bool) -> bytes:
    upright = ImageOps.exif_transpose(image)
    if to_alpha:
        upright, form = _with_alpha(upright), "png"
    for content in _smaller(upright, form, image):
        if most_bytes is None or len(content) <= most_bytes:
            return content
    raise NotAnImage(f"it cannot be made as small as {most_bytes} bytes")


def _with_alpha(mask: Image.Image) -> Image.Image:
    """Return a mask whose black is transparent, thus to be changed, and whose white stays (providers.md 5.4)."""
    grey = mask.convert("L")
    found = Image.new("RGBA", mask.size, (255, 255, 255, 255))
    found.putalpha(grey)
    return found


def _smaller(image: Image.Image, form: str, source: Image.Image) -> Iterator[bytes]:
    """Yield the image encoded, then ever smaller ones."""
    width, height = image.size
    while min(width, height) >= _LEAST_SIDE or (width, height) == image.size:
        scaled = image if (width, height) == image.size else image.resize((width, height), Image.Resampling.LANCZOS)
        yield _encoded(scaled, form, source)
        width, height = int(width * _STEP), int(height * _STEP)


def _encoded(image: Image.Image, form: str, source: Image.Image) -> bytes:
    target = io.BytesIO()
    profile = source.info.get("icc_profile")
    kept: Mapping[str, Any] = {"icc_profile": profile} if profile else {}
    if form == "jpeg":
        flat = image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")
        flat.save(target, "JPEG", quality=_QUALITY, subsampling=0, exif=b"", **kept)
    elif form == "webp":
        image.save(target, "WEBP", lossless=True, exif=b"", xmp=b"", **kept)
    else:
        _bare(image).save(target, form.upper(), **kept)
    return target.getvalue()


def _bare(image: Image.Image) -> Image.Image:
    """Return the pixels without anything that was written beside them."""
    found = image.copy()
    found.info = {name: image.info[name] for name in ("transparency",) if name in image.info}
    found.getexif().clear()
    return found


def _keep(content: bytes, folder: str, name: str) -> None:
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = durable.open_folder(folder)
    try:
        draft = f".{name}.{os.getpid()}.part"
        durable.remove(draft, folder=handle)
        with durable.create(draft, folder=handle, mode=durable.PRIVATE) as file:
            _write(file, content)
        os.replace(draft, name, src_dir_fd=handle, dst_dir_fd=handle)
        durable.flush(handle)
    finally:
        os.close(handle)


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    durable.flush(file.fileno())

"""The pictures and the mask that come with an OpenAI edit (providers.md 5.4)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from orchestrator.simulator.ledger import Reference
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Part
    from orchestrator.simulator.fields import Fields

__all__ = ["FindFile", "no_such_file", "picture_at", "read_form_pictures", "read_json_pictures"]

MOST_PICTURES = 16
LARGEST_PICTURE = 50 * 1024 * 1024
LONGEST_URL = 20_971_520
DATA_URL = re.compile(r"data:(?P<media>image/[\w.+-]+);base64,(?P<content>[A-Za-z0-9+/=\s]+)")

Pictures = tuple[tuple[Reference, ...], Reference | None]

FindFile = Callable[[str, str], Reference]
"""(field, file id) -> the picture that was uploaded; raises Refusal for an id that nobody got."""


def read_form_pictures(files: list[Part]) -> Pictures:
    """The files of a form in their order: `image` or `image[]`, and `mask`."""
    for part in files:
        if part.name not in {"image", "image[]", "mask"}:
            raise _complaint(f"Unknown parameter: '{part.name}'.", part.name, "unknown_parameter")
    pictures = tuple(_from_part(part) for part in files if part.name != "mask")
    masks = [_from_part(part) for part in files if part.name == "mask"]
    if len(masks) > 1:
        raise _complaint("Only one mask is allowed.", "mask", "invalid_value")
    return _check(pictures, masks[0] if masks else None, field="image")


def no_such_file(field: str, file_id: str) -> Reference:
    """Refuse a file id, as every one is refused where nothing can be uploaded."""
    raise _complaint(f"No such File object: {file_id}", field, "image_file_not_found")


def read_json_pictures(fields: Fields, find_file: FindFile = no_such_file) -> Pictures:
    """The `images` and the `mask` of a JSON body, each an `image_url` or a `file_id`."""
    listed = fields.raw("images")
    if not isinstance(listed, list):
        raise _complaint("Missing required parameter: 'images'.", "images", "missing_required_parameter")
    pictures = tuple(picture_at(value, "images", find_file) for value in listed)
    mask = fields.raw("mask")
    return _check(pictures, None if mask is None else picture_at(mask, "mask", find_file), field="images")


def _complaint(message: str, param: str, code: str) -> Refusal:
    return Refusal(message, param=param, code=code)


def _check(pictures: tuple[Reference, ...], mask: Reference | None, *, field: str) -> Pictures:
    if not 1 <= len(pictures) <= MOST_PICTURES:
        raise _complaint(f"Expected 1 to {MOST_PICTURES} images, got {len(pictures)}.", field, "invalid_value")
    if mask is None or mask.width is None or pictures[0].width is None:
        return pictures, mask
    if (mask.width, mask.height) != (pictures[0].width, pictures[0].height):
        raise _complaint("The mask must have the size of the first image.", "mask", "invalid_image_file")
    return pictures, mask


def _from_part(part: Part) -> Reference:
    return _from_bytes(part.name, part.content, filename=part.filename, content_type=part.content_type)


def picture_at(value: Any, field: str, find_file: FindFile) -> Reference:  # noqa: ANN401 -- whatever JSON the client sent
    """The picture that an object with an `image_url` or a `file_id` names."""
    given = {name: value.get(name) for name in ("image_url", "file_id")} if isinstance(value, dict) else {}
    texts = {name: text for name, text in given.items() if isinstance(text, str)}
    if len(texts) != 1:
        raise _complaint("Give exactly one of 'image_url' and 'file_id'.", field, "invalid_value")
    if "file_id" in texts:
        return find_file(field, texts["file_id"])
    return _from_url(texts["image_url"], field)


def _from_url(url: str, field: str) -> Reference:
    if len(url) > LONGEST_URL:
        raise _complaint("The image URL is too long.", field, "string_above_max_length")
    if url.startswith(("http://", "https://")):
        return Reference(field=field, kind="url", url=url)
    data = DATA_URL.fullmatch(url)
    if data is None:
        raise _complaint("Expected an http(s) URL or a base64 data URL.", field, "invalid_image_url")
    try:
        content = base64.b64decode(data["content"])
    except ValueError as error:
        raise _complaint("The data URL is not valid base64.", field, "invalid_base64") from error
    return _from_bytes(field, content, filename=None, content_type=data["media"])


def _from_bytes(field: str, content: bytes, *, filename: str | None, content_type: str | None) -> Reference:
    """A picture that came along, with the pixels its header speaks of."""
    if len(content) > LARGEST_PICTURE:
        raise _complaint("The image is larger than 50 MB.", field, "invalid_image_file")
    formats = ("PNG",) if field == "mask" else ("PNG", "JPEG", "WEBP")
    try:
        with Image.open(BytesIO(content), formats=formats) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError) as error:
        raise _complaint(f"The image must be one of {', '.join(formats)}.", field, "invalid_image_file") from error
    return Reference(
        field=field,
        kind="file",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        filename=filename,
        content_type=content_type,
        width=width,
        height=height,
    )

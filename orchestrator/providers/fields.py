"""The fields of a submission that come from the job, in the order they are sent, and how a body is encoded."""

import json
import re
from pathlib import PurePath

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import FileInput, Input, Order
from orchestrator.providers.catalog import Api
from orchestrator.transport.messages import Part

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
"""Made once: `json.dumps` with options makes an encoder for every body."""


def optional_fields(order: Order, api: Api) -> dict[str, Json]:
    """Return params in the API's own order, then the account's other constant fields, then `extra`, which wins."""
    given = {**order.account.params, **order.spec.params}
    ordered = {name: given[name] for name in api.unlisted.params if name in given}
    return {**ordered, **given, **order.spec.extra}


def size_field(order: Order) -> dict[str, Json]:
    """Return the size without stray blanks (providers.md 2.1 shows one), or nothing where none is asked for."""
    size = (order.spec.size or "").strip()
    return {"size": size} if size else {}


def json_body(fields: dict[str, Json]) -> bytes:
    """Return fields as compact JSON in UTF-8, in their order."""
    return _COMPACT.encode(fields).encode()


def text_part(name: str, value: Json) -> Part:
    """Return one form field: text as it is, anything else as JSON writes it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Part(name=name, content=text.encode())


def file_part(name: str, image: Input) -> Part:
    """Return one file of a form; raise `TypeError` for a URL, which a form cannot carry."""
    if not isinstance(image, FileInput):
        raise TypeError("a multipart form takes files; the image is a URL")
    return Part(name=name, content=image.content, filename=_safe_name(image), content_type=image.content_type)


def _safe_name(image: FileInput) -> str:
    """Return a file name that no server can misread: ASCII, no folders, and the ending its content type promises."""
    path = PurePath(image.filename.replace("\\", "/"))
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem).strip("_") or "image"
    return f"{stem}.{image.content_type.removeprefix('image/')}"

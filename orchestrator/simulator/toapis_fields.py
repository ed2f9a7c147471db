"""Which orders ToAPIs takes (providers.md 1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.simulator.fields import Fields
from orchestrator.simulator.orders import Order
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.uploads import Uploads

__all__ = ["read_order"]

PIXELS_BY_RATIO = {"1:1": (1024, 1024), "2:3": (1024, 1536), "3:2": (1536, 1024)}
FREE_SIZE = re.compile(r"(?P<width>[1-9]\d{0,3})(?P<sign>[x:])(?P<height>[1-9]\d{0,3})")
SHORTER_EDGE = 1024
REFERENCE_FIELDS = ("reference_images", "image_urls")
HTTP_URL = re.compile(r"https?://\S+")


def read_order(arrival: Arrival, uploads: Uploads, options: SimulatorOptions) -> Order:
    """The order in a request; raises Refusal for the first field that is wrong."""
    if arrival.json is None:
        raise _complaint(arrival.problem or "The body is not JSON.", param="body", code="invalid_json")
    fields = Fields(arrival.json, _complaint)
    model = fields.text("model")
    is_4o = model == "gpt-4o-image"
    size, (width, height) = _read_size(fields, is_4o=is_4o)
    return Order(
        model=model,
        prompt=fields.prompt(1000 if is_4o else 4000),
        n=fields.integer("n", default=1, low=1, high=4 if is_4o else 10),
        size=size,
        width=width,
        height=height,
        client_business_id=_read_client_id(fields),
        callback_url=_read_callback_url(fields, options),
        references=_read_references(fields, uploads, arrival.host, most=5 if is_4o else 16),
        mask=_read_mask(fields, uploads, arrival.host),
    )


def _read_callback_url(fields: Fields, options: SimulatorOptions) -> str | None:
    """Where this order is called back: the path may be the client's own, the host is the one set in the console."""
    url = fields.text("callback_url", default="") or None
    if url is None:
        return None
    if options.webhook_secret is None:
        raise _refusal("No webhook is configured for this token.", param="callback_url", code="webhook_not_configured")
    if options.webhook_url is not None and urlsplit(url)[:2] != urlsplit(options.webhook_url)[:2]:
        raise _complaint("callback_url must be at the configured host.", param="callback_url", code="")
    return url


def _complaint(message: str, *, param: str, code: str) -> Refusal:  # noqa: ARG001 -- ToAPIs has one code for all fields
    return _refusal(message, param=param, code="invalid_request_error")


def _refusal(message: str, *, param: str, code: str) -> Refusal:
    return Refusal(message, code=code, param=param)


def _read_size(fields: Fields, *, is_4o: bool) -> tuple[str, tuple[int, int]]:
    """The size as written and in pixels; gpt-4o-image knows three ratios, others any ratio or WxH."""
    if is_4o:
        ratio = fields.choice("size", PIXELS_BY_RATIO, default="1:1")
        return ratio, PIXELS_BY_RATIO[ratio]
    size = fields.text("size", default="1:1")
    match = FREE_SIZE.fullmatch(size)
    if match is None:
        raise _complaint(f"Invalid size: '{size}'.", param="size", code="invalid_value")
    width, height = int(match["width"]), int(match["height"])
    if match["sign"] == "x":
        return size, (width, height)
    scale = SHORTER_EDGE / min(width, height)
    return size, (min(4096, round(width * scale)), min(4096, round(height * scale)))


def _read_client_id(fields: Fields) -> str | None:
    metadata = fields.raw("metadata")
    nested = metadata.get("client_business_id") if isinstance(metadata, dict) else None
    value = fields.raw("client_business_id") or nested
    if value is not None and not isinstance(value, str):
        raise _complaint("client_business_id must be a string.", param="client_business_id", code="invalid_type")
    return value


def _read_references(fields: Fields, uploads: Uploads, host: str, *, most: int) -> tuple[Reference, ...]:
    """Both documented field names, in the order of the request's own lists."""
    found: list[Reference] = []
    for name in REFERENCE_FIELDS:
        values = fields.raw(name)
        if values is None:
            continue
        if not isinstance(values, list):
            raise _complaint(f"{name} must be an array.", param=name, code="invalid_type")
        found += [_read_reference(name, value, uploads, host) for value in values]
    if len(found) > most:
        raise _refusal(
            f"At most {most} reference images are allowed.", param=REFERENCE_FIELDS[0], code="invalid_reference_images"
        )
    return tuple(found)


def _read_reference(name: str, value: Any, uploads: Uploads, host: str) -> Reference:  # noqa: ANN401
    """One URL, bare or as `{"url": ...}` like in the upload page's sample (providers.md 1.9)."""
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str) or not HTTP_URL.fullmatch(url):
        raise _refusal(
            "Reference images must be http(s) URLs; base64 is not supported.",
            param=name,
            code="invalid_reference_images",
        )
    reference = uploads.recognise(name, url, host=host)
    if reference is None:
        raise _refusal("A reference image does not exist.", param=name, code="invalid_reference_images")
    return reference


def _read_mask(fields: Fields, uploads: Uploads, host: str) -> Reference | None:
    return None if fields.raw("mask_url") is None else _read_reference("mask_url", fields.raw("mask_url"), uploads, host)

"""The fields of a submission that come from the job, in the order they are sent, and how a body is encoded."""

import json

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Order
from orchestrator.providers.catalog import Api
from orchestrator.transport.messages import Part


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
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def text_part(name: str, value: Json) -> Part:
    """Return one form field: text as it is, anything else as JSON writes it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Part(name=name, content=text.encode())

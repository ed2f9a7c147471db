"""Images that come as events (providers.md 5.3): partial ones on request, then one completed event for each image."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Estimate, Finding, Preview
from orchestrator.providers.event_stream import Event, events
from orchestrator.providers.prices import MILLION, Price
from orchestrator.transport.messages import Unreadable

PARTIAL = frozenset({"image_generation.partial_image", "image_edit.partial_image"})
COMPLETED = frozenset({"image_generation.completed", "image_edit.completed"})
PREVIEW_TOKENS = 100
"""Output tokens that each partial image costs besides (providers.md F.2)."""


def assembled(body: bytes) -> dict[str, Json]:
    """Return a stream as the object that the same request without `stream` would have brought.

    Images win over an error that came after them: they are paid for. Raises `Unreadable` for a stream that shows neither.
    """
    found = list(events(body))
    completed = [event.data for event in found if event.kind in COMPLETED]
    if completed:
        return {**completed[0], "created": completed[-1].get("created_at"), "data": completed, "usage": _summed(completed)}
    if error := error_in(found):
        return {"error": error}
    raise Unreadable(f"the stream ended before an image was complete, after {len(found)} events")


def error_in(found: Iterable[Event]) -> Json:
    """Return what the first error event says; None where there is none."""
    for event in found:
        if event.kind == "error" or event.data.get("error"):
            return event.data.get("error") or event.data
    return None


def previews(body: bytes) -> tuple[Preview, ...]:
    """Return the partial images in what has come of a stream so far; they belong to the image that is completed next."""
    return tuple(_previews(body))


def _previews(body: bytes) -> Iterator[Preview]:
    index = number = 0
    for event in events(body):
        if event.kind in COMPLETED:
            index, number = index + 1, 0
        elif event.kind in PARTIAL and isinstance(content := event.data.get("b64_json"), str) and content:
            stated = event.data.get("partial_image_index")
            yield Preview(base64=content, index=index, number=stated if type(stated) is int and stated >= 0 else number)
            number += 1


def streaming_findings(spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
    """Yield partial images that are asked for and could not come."""
    params = {**account.params, **spec.params}
    if params.get("partial_images") and params.get("stream") is not True:
        message = f"partial_images needs stream: true ({spec.provider} {spec.model}); without it no partial image is sent"
        yield Finding(path=("params", "partial_images"), message=message)


def with_previews(estimate: Estimate, price: Price | None, spec: JobSpec, account: AccountSettings) -> Estimate:
    """Return an estimate that includes the partial images asked for."""
    asked = {**account.params, **spec.params}.get("partial_images", 0)
    if price is None or price.rates is None or type(asked) is not int:
        return estimate
    added = spec.n * asked * PREVIEW_TOKENS * price.rates.image_out / MILLION
    return replace(estimate, likely=_plus(estimate.likely, added), worst=_plus(estimate.worst, added))


def _plus(cost: Decimal | None, added: Decimal) -> Decimal | None:
    return None if cost is None else cost + added


def _summed(items: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return the usage of all images together: each completed event tells of its own."""
    total: dict[str, Json] = {}
    for item in items:
        usage = item.get("usage")
        total = _added(total, usage) if isinstance(usage, Mapping) else total
    return total


def _added(total: Mapping[str, Json], usage: Mapping[str, Json]) -> dict[str, Json]:
    return {**total, **{name: _sum(total.get(name), value) for name, value in usage.items()}}


def _sum(known: Json, value: Json) -> Json:
    if isinstance(value, Mapping):
        return _added(known if isinstance(known, Mapping) else {}, value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return known + value if is_number and isinstance(known, int) else value

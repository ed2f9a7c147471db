"""A streamed response put together again (providers.md 5.7), as far as it came.

The image's bytes come with the end of its item and once more with the end of the response; each alone is enough.
"""

from collections.abc import Iterator, Mapping

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Preview
from orchestrator.providers.event_stream import events
from orchestrator.providers.openai_streaming import error_in
from orchestrator.transport.messages import Unreadable

ENDS = frozenset({"response.completed", "response.failed", "response.incomplete", "response.cancelled"})
ITEM = "response.output_item.done"
PARTIAL = "response.image_generation_call.partial_image"


def assembled(body: bytes) -> dict[str, Json]:
    """Return the response that a stream tells of: its end, else what is known by the last event.

    A stream that broke off after an image was whole is as good as completed; one that broke off earlier leaves a response at
    work, which can be asked for by its id. Raises `Unreadable` when not even an id came.
    """
    found = list(events(body))
    told = [event for event in found if isinstance(event.data.get("response"), Mapping)]
    items = [event.data["item"] for event in found if event.kind == ITEM and isinstance(event.data.get("item"), Mapping)]
    response = dict(told[-1].data["response"]) if told else {}
    if any(event.kind in ENDS for event in told):
        return {**response, "output": _with_results(response.get("output"), items)}
    if error := error_in(found):
        return {**response, "status": "failed", "error": error, "output": items}
    if any(item.get("type") == "image_generation_call" and item.get("result") for item in items):
        return {**response, "status": "completed", "output": items}
    if not response:
        raise Unreadable(f"the stream ended before it told of a response, after {len(found)} events")
    return response


def previews(body: bytes) -> tuple[Preview, ...]:
    """Return the unfinished images in what has come of a stream so far, each under the place of its call among all calls."""
    return tuple(_previews(body))


def _previews(body: bytes) -> Iterator[Preview]:
    calls: dict[Json, int] = {}
    for event in events(body):
        content = event.data.get("partial_image_b64")
        if event.kind == PARTIAL and isinstance(content, str) and content:
            index = calls.setdefault(event.data.get("item_id"), len(calls))
            stated = event.data.get("partial_image_index")
            yield Preview(base64=content, index=index, number=stated if type(stated) is int and stated >= 0 else 0)


def _with_results(output: Json, items: list[Mapping[str, Json]]) -> list[Json]:
    """Return the items of the end, and those that only their own events told of."""
    listed = [item for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []
    whole = {item.get("id"): item for item in items if item.get("result")}
    filled = [item if item.get("result") else whole.get(item.get("id"), item) for item in listed]
    missing = [item for name, item in whole.items() if name not in {item.get("id") for item in listed}]
    return [*filled, *missing]

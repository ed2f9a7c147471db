"""A chat's answer in events (providers.md 4): some gateways stream although nobody asked, and spell the answer in pieces."""

from collections.abc import Mapping

from orchestrator.jobs.spec import Json
from orchestrator.providers.event_stream import events
from orchestrator.transport.messages import Answer, Unreadable, shown


def assembled(answer: Answer) -> dict[str, Json]:
    """Return a stream as the one answer it spells; raise `Unreadable` when no event has JSON in it.

    An event may also be a whole answer, in either shape: its `data` and its `message` count as if there were no stream.
    """
    whole: dict[str, Json] = {}
    data: list[Json] = []
    messages: dict[int, dict[str, Json]] = {}
    reasons: dict[int, Json] = {}
    for event in events(answer.body):
        whole |= {name: value for name, value in event.data.items() if value}
        data += event.data["data"] if isinstance(event.data.get("data"), list) else []
        for choice in choices_of(event.data):
            index = choice["index"] if type(choice.get("index")) is int else 0
            messages[index] = _lengthened(messages.get(index, {}), message_of(choice))
            reasons[index] = choice.get("finish_reason") or reasons.get(index)
    if not whole:
        raise Unreadable(f"the stream holds no event with JSON in it: {shown(answer.body)}")
    choices = [{"message": message, "finish_reason": reasons[index]} for index, message in messages.items()]
    return whole | {"choices": choices} | ({"data": data} if data else {})


def choices_of(body: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the choices of a chat, or of one event of it."""
    choices = body.get("choices")
    return [choice for choice in choices if isinstance(choice, Mapping)] if isinstance(choices, list) else []


def message_of(choice: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what a choice says: its message, its delta, or the bare text of old gateways."""
    for name in ("message", "delta"):
        found = choice.get(name)
        if isinstance(found, Mapping):
            return found
    return {"content": choice.get("text")}


def _lengthened(message: Mapping[str, Json], piece: Mapping[str, Json]) -> dict[str, Json]:
    """Return a message continued by a piece: text goes on after text, a list after a list."""
    longer = dict(message)
    for name, value in piece.items():
        known = message.get(name)
        if isinstance(known, str) and isinstance(value, str):
            longer[name] = known + value
        elif isinstance(known, list) and isinstance(value, list):
            longer[name] = [*known, *value]
        elif value is not None:
            longer[name] = value
    return longer

"""YAML as a stream of events in which aliases are already replaced by what they stand for, within a budget."""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import IO, Any, cast

import yaml
from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from orchestrator.batchfile.text import LONGEST_LINE

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml; its own parser says the same, slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

_FREE_EXPANSION = 100_000
_MOST_EXPANSION = 20
_LONGEST_PIECE = LONGEST_LINE + 2**16
"""Bytes that may pass without an event: the longest text, and what the parser reads ahead."""
_SCALAR_UNIT = 256
"""Characters of a scalar that count as one event."""

LEVELS: Mapping[type[Event], int] = {MappingStartEvent: 1, SequenceStartEvent: 1, MappingEndEvent: -1, SequenceEndEvent: -1}
"""How far each event leads into nested collections; the others stay where they are."""


class Refused(yaml.MarkedYAMLError):
    """What the parser accepts and we do not; `problem` is a clause for the user."""

    def __init__(self, problem: str, event: Event) -> None:
        super().__init__(problem=problem, problem_mark=mark_of(event))


def mark_of(event: Event) -> yaml.Mark:
    """Return where an event starts; parsers always say, and both kinds of mark count lines and columns from 0."""
    return cast("yaml.Mark", event.start_mark)


class Events:
    """The events of one YAML stream.

    Anchored nodes are recorded as they pass and played again for each alias, so that readers of the events need not
    know. A few hundred bytes of nested aliases can stand for gigabytes; a file may say by aliases at most 20 times what
    it says itself, plus 100,000 events.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = _Bounded(stream)
        self._anchors: dict[str, list[Event]] = {}
        self._recordings: list[_Recording] = []
        self._read = 0
        self._expanded = 0

    def __iter__(self) -> Generator[Event, None, None]:
        """Yield the events, once; raises yaml.YAMLError. To be closed, so that the parser lets go of its memory."""
        loader = _Loader(self._stream)
        next_event: Callable[[], Event | None] = loader.get_event
        try:
            while (event := next_event()) is not None:
                self._read += 1
                self._stream.passed(event)
                if self._recordings or getattr(event, "anchor", None):
                    self._record(event)
                if type(event) is AliasEvent:
                    yield from self._played(event)
                else:
                    yield event
        finally:
            loader.dispose()

    def _record(self, event: Event) -> None:
        if isinstance(event, NodeEvent) and event.anchor and not isinstance(event, AliasEvent):
            if event.anchor in self._anchors:
                raise Refused(f"the anchor &{event.anchor} is defined twice; give each its own name", event)
            self._anchors[event.anchor] = []
            self._recordings.append(_Recording(self._anchors[event.anchor]))
        for recording in self._recordings:
            recording.take(event)
        self._recordings = [recording for recording in self._recordings if recording.depth]

    def _played(self, alias: AliasEvent) -> Iterator[Event]:
        name = alias.anchor or ""
        if name not in self._anchors:
            raise Refused(f"*{name} has no anchor &{name} above it", alias)
        if any(recording.events is self._anchors[name] for recording in self._recordings):
            raise Refused(f"*{name} stands inside its own anchor", alias)
        for event in self._anchors[name]:
            self._expanded += 1 + (len(event.value) // _SCALAR_UNIT if isinstance(event, ScalarEvent) else 0)
            if self._expanded > _FREE_EXPANSION + _MOST_EXPANSION * self._read:
                raise Refused("the aliases of this file stand for too much; write it out or use JSONL", alias)
            if isinstance(event, AliasEvent):
                yield from self._played(event)
            else:
                yield event


class _Bounded:
    """Reads a stream for the parser, and stops it in the middle of a text that is longer than any job needs."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._last: Event | None = None
        self._since = 0

    def read(self, size: int = -1, /) -> Any:  # noqa: ANN401 - bytes or text, as the stream has it
        """Return the next piece; raise `Refused` when it belongs to what is too long."""
        piece = self._stream.read(size)
        self._since += len(piece)
        if self._since > _LONGEST_PIECE and self._last is not None:
            raise Refused("the text that follows here is longer than 4 MiB; is a closing quote missing?", self._last)
        return piece

    def passed(self, event: Event) -> None:
        """Note that something ended, so that counting begins anew."""
        self._last, self._since = event, 0


class _Recording:
    """The events of one anchored node, until it ends."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.depth = 0

    def take(self, event: Event) -> None:
        self.events.append(event)
        self.depth += LEVELS.get(type(event), 0)

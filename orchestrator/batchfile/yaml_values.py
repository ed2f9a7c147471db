"""YAML events composed to Python values, one node at a time, with the place of each value kept beside it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import yaml
from yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from orchestrator.batchfile.entry import Entry, LazyPlaces
from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.wording import shown
from orchestrator.batchfile.yaml_events import LEVELS, Refused, mark_of
from orchestrator.jobs.places import FieldPath, Place
from orchestrator.jobs.spec import Json

DEEPEST = 50
"""Lists and mappings inside each other. More is an attack on the parser, not a job."""
_LONGEST_RESOLVED = 64
"""Characters: a longer plain scalar is text without asking; no number or date of a job is that long."""
_CORE = "tag:yaml.org,2002:"
_TYPED = frozenset(_CORE + name for name in ("int", "float", "bool", "null"))
_MERGE = _CORE + "merge"
_TEXT_TAGS = frozenset({"!", _CORE + "str"})
_COLLECTION_TAGS = frozenset({"!", _CORE + "map", _CORE + "seq"})

_rules = yaml.SafeLoader("")
"""Knows the regular expressions and constructors of YAML 1.1; never reads anything."""


def _plain(text: str) -> Json:
    return text if len(text) > _LONGEST_RESOLVED else _resolved(text)


@lru_cache(maxsize=4096)
def _resolved(text: str) -> Json:
    """Return what an unquoted scalar means; dates stay text. Raises ValueError for what only looks like a number."""
    tag = _rules.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return _as_tag(tag, text)


def _as_tag(tag: str, text: str) -> Json:
    """Return the value of a scalar under a tag; raises ValueError where it has none."""
    if tag not in _TYPED:
        return text
    try:
        return _rules.yaml_constructors[tag](_rules, yaml.ScalarNode(tag, text))
    except LookupError as error:  # what PyYAML raises for `!!int ""` and `!!bool maybe`
        raise ValueError(text) from error


@dataclass(kw_only=True, slots=True)
class Notes:
    """What is known about the values of one composed node beside the values."""

    marks: dict[FieldPath, yaml.Mark] = field(default_factory=dict)
    """Where values start."""
    names: dict[FieldPath, yaml.Mark] = field(default_factory=dict)
    """Where the names in mappings start."""
    texts: dict[FieldPath, str] = field(default_factory=dict)
    """The text of each value that is something other than text."""
    sound: bool = True

    def take(self, other: "Notes", moved: Mapping[FieldPath, FieldPath]) -> None:
        """Take over what `other` knows of the values at the paths in `moved` and inside them, under new paths."""
        self.sound = self.sound and other.sound
        if not moved:
            return
        length = len(next(iter(moved)))
        for own, others in ((self.marks, other.marks), (self.names, other.names)):
            own.update((moved[old[:length]] + old[length:], mark) for old, mark in others.items() if old[:length] in moved)
        texts = other.texts.items()
        self.texts.update((moved[old[:length]] + old[length:], text) for old, text in texts if old[:length] in moved)


class Composer:
    """Composes nodes from events. What is merely wrong is noted and composing goes on; `Refused` ends it."""

    def __init__(self, events: Iterator[Event], file: str, problems: Problems) -> None:
        self.next: Callable[[], Event] = events.__next__
        self._file = file
        self._problems = problems

    def place(self, mark: yaml.Mark) -> Place:
        """Return the place of a mark in this file."""
        return Place(self._file, mark.line + 1, mark.column + 1)

    def places(self, marks: dict[FieldPath, yaml.Mark]) -> LazyPlaces[yaml.Mark]:
        """Return the places of all marks, made when they are asked for."""
        return LazyPlaces(marks, self.place)

    def wrong(self, message: str, event: Event, notes: Notes | None = None) -> None:
        """Note a problem at an event."""
        self.wrong_at(message, mark_of(event))
        if notes is not None:
            notes.sound = False

    def wrong_at(self, message: str, mark: yaml.Mark) -> None:
        """Note a problem at a mark."""
        self._problems.add(message, self.place(mark))

    def skip(self, event: Event) -> None:
        """Pass over the node that begins with `event`."""
        depth = 0
        while True:
            depth += LEVELS.get(type(event), 0)
            if depth > DEEPEST:
                raise Refused(f"lists and mappings lie more than {DEEPEST} deep in each other", event)
            if depth == 0:
                return
            event = self.next()

    def entry(self, first: Event, expected: str, *, optional: bool = False) -> Entry | None:
        """Return the mapping that begins with `first`; note a problem that begins with `expected` where it is none.

        Nothing at all is no problem where it is `optional`.
        """
        notes = Notes()
        values = self.node(first, (), notes)
        if values is None and optional:
            return None
        if not isinstance(values, dict):
            self.wrong(f"{expected}; got {shown(values)}", first)
            return None
        return Entry(
            values=values,
            place=self.place(mark_of(first)),
            fields=self.places(notes.marks),
            names=self.places(notes.names),
            texts=notes.texts,
            sound=notes.sound,
        )

    def node(self, event: Event, path: FieldPath, notes: Notes) -> Json:
        """Return the value of the node that begins with `event`; raises yaml.YAMLError."""
        notes.marks[path] = mark_of(event)
        if type(event) is ScalarEvent:
            return self._scalar(event, path, notes)
        if len(path) >= DEEPEST:
            raise Refused(f"lists and mappings lie more than {DEEPEST} deep in each other", event)
        self._check_tag(event, notes)
        if type(event) is MappingStartEvent:
            return self._mapping(path, notes)
        return self._sequence(path, notes)

    def _check_tag(self, event: Event, notes: Notes) -> None:
        tag = getattr(event, "tag", None)
        if tag and tag not in _COLLECTION_TAGS:
            self._refuse_tag(tag, event, notes)

    def _refuse_tag(self, tag: str, event: Event, notes: Notes) -> None:
        name = shown(tag.replace(_CORE, "!!"))
        self.wrong(f"the tag {name} is not supported; leave it out", event, notes)

    def _scalar(self, event: ScalarEvent, path: FieldPath, notes: Notes) -> Json:
        text, tag = event.value, event.tag
        if not event.implicit[0] and (not tag or tag in _TEXT_TAGS):
            return text
        if tag and not event.implicit[0] and tag not in _TYPED:
            self._refuse_tag(tag, event, notes)
            return text
        try:
            value = self._meaning(event)
        except ValueError:
            self.wrong(f"{shown(text)} cannot be used as a number; put it in quotes", event, notes)
            return text
        if value is not text:
            notes.texts[path] = text
        return value

    def _meaning(self, event: ScalarEvent) -> Json:
        text, tag = event.value, event.tag
        value = _as_tag(tag, text) if tag and not event.implicit[0] else _plain(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(text)
        return value

    def _sequence(self, path: FieldPath, notes: Notes) -> list[Json]:
        items: list[Json] = []
        while type(event := self.next()) is not SequenceEndEvent:
            items.append(self.node(event, (*path, len(items)), notes))
        return items

    def _mapping(self, path: FieldPath, notes: Notes) -> dict[str, Json]:
        own: dict[str, Json] = {}
        merged: _Merged | None = None
        while type(event := self.next()) is not MappingEndEvent:
            name = self.name(event, notes)
            if name is None:
                self.skip(self.next())
            elif _is_merge(event) and merged is None:
                merged = self._merged((*path, name), notes)
            elif name in own or _is_merge(event):
                self.wrong(f"{shown(name)} stands twice in one mapping; keep one", event, notes)
                self.skip(self.next())
            else:
                notes.names[*path, name] = mark_of(event)
                own[name] = self.node(self.next(), (*path, name), notes)
        return own if merged is None else merged.under(own, path, notes)

    def _merged(self, path: FieldPath, notes: Notes) -> "_Merged":
        """Return what `<<` brings in: a mapping, or several of which the first that has a name gives its value."""
        event = self.next()
        merged = _Merged()
        value = self.node(event, path, merged.notes)
        layers = [((*path, index), layer) for index, layer in enumerate(value)] if isinstance(value, list) else [(path, value)]
        for source, layer in layers:
            if not isinstance(layer, dict):
                self.wrong(f"<< takes a mapping or a list of mappings; got {shown(layer)}", event, notes)
                break
            for name, found in layer.items():
                merged.values.setdefault(name, found)
                merged.sources.setdefault(name, (*source, name))
        return merged

    def name(self, event: Event, notes: Notes | None = None) -> str | None:
        """Return the name that stands before a colon, as the file says it; note a problem when it is no scalar."""
        if isinstance(event, ScalarEvent):
            return event.value
        self.wrong("a name must be plain text; put text that starts with { or [ in quotes", event, notes)
        self.skip(event)
        return None


@dataclass(kw_only=True, slots=True)
class _Merged:
    """What a mapping gets by `<<`: values, the paths they were composed under, and what was noted there."""

    values: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, FieldPath] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)

    def under(self, own: dict[str, Json], path: FieldPath, notes: Notes) -> dict[str, Json]:
        """Return the mapping at `path` with its own names before the merged ones."""
        moved = {source: (*path, name) for name, source in self.sources.items() if name not in own}
        notes.take(self.notes, moved)
        return {**self.values, **own}


def _is_merge(event: Event) -> bool:
    return isinstance(event, ScalarEvent) and event.value == "<<" and (event.implicit[0] or event.tag == _MERGE)

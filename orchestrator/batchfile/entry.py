"""One job as its file writes it: values still unchecked, and where each of them stands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from orchestrator.jobs.places import FieldPath, Place, Places
from orchestrator.jobs.spec import Json

Position = TypeVar("Position")

MERGED = frozenset({"params", "extra", "meta", "vars"})
"""Mappings whose names are taken from the defaults one by one; any other field of a job replaces the default."""

_OTHER_NAMES: Mapping[FieldPath, FieldPath] = {
    ("key",): ("id",),
    ("size",): ("params", "size"),
    ("n",): ("params", "n"),
    ("params", "quality"): ("quality",),
    ("params", "output_format"): ("output_format",),
}
"""Where a field of a draft may stand in the file under another name (design.md 6)."""


class LazyPlaces(Mapping[FieldPath, Place], Generic[Position]):
    """Places made only when somebody asks: nearly all jobs are right, and nobody asks."""

    __slots__ = ("_place", "_positions")

    def __init__(self, positions: Mapping[FieldPath, Position], place: Callable[[Position], Place]) -> None:
        self._positions = positions
        self._place = place

    def __getitem__(self, path: FieldPath) -> Place:
        return self._place(self._positions[path])

    def __iter__(self) -> Iterator[FieldPath]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """The fields of one job, or of the defaults, as written."""

    values: Mapping[str, Json]
    place: Place
    fields: Mapping[FieldPath, Place] = field(default_factory=dict)
    """Where values stand."""
    names: Mapping[FieldPath, Place] = field(default_factory=dict)
    """Where the names of fields stand."""
    texts: Mapping[FieldPath, str] = field(default_factory=dict)
    """What the file says where it reads as something other than text: `007`, `no`, `12:30`."""
    sound: bool = True
    """False when a problem of this entry is already told."""

    def place_of(self, path: FieldPath) -> Place:
        """Return where a value stands, or the nearest thing around it."""
        return Places(self.place, self.fields).of(path)

    def place_of_name(self, path: FieldPath) -> Place:
        """Return where the name of a field stands, or else its value."""
        return self.names.get(path) or self.place_of(path)


class DraftPlaces(Mapping[FieldPath, Place]):
    """Where the fields of a draft stand: in the job itself or, where it took a default, in the defaults."""

    __slots__ = ("_layers",)

    def __init__(self, *layers: Mapping[FieldPath, Place]) -> None:
        self._layers = layers

    def __getitem__(self, path: FieldPath) -> Place:
        other = _OTHER_NAMES.get(path)
        for layer in self._layers:
            for name in (path, other):
                if name is not None and name in layer:
                    return layer[name]
            if path[0] not in MERGED and path[:1] in layer:
                break  # the job's own field hides the default whole, e.g. all references
        raise KeyError(path)

    def __iter__(self) -> Iterator[FieldPath]:
        return iter({path: None for layer in self._layers for path in layer})

    def __len__(self) -> int:
        return len({path for layer in self._layers for path in layer})

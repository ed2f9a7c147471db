"""What a model allows: the values of one field, and the images it takes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.jobs.spec import Json
from orchestrator.providers.section import Expected, Section, flag, scalars, text, texts, whole

_KINDS: Mapping[str, Callable[[Json], bool]] = MappingProxyType(
    {
        "text": lambda value: isinstance(value, str),
        "whole": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "flag": lambda value: isinstance(value, bool),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueRule:
    """The values one field takes; what is None is not checked."""

    values: tuple[Json, ...] | None = None
    kind: str | None = None
    """text, whole or flag."""
    least: int | None = None
    most: int | None = None
    doubtful: tuple[Json, ...] = ()
    """Values that are allowed in one document and missing in another."""
    reason: str | None = None
    """Why they are doubtful."""

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.values is not None:
            return f"one of {', '.join(str(value) for value in self.values)}"
        if self.kind == "whole":
            return f"a whole number{_bounds(self.least, self.most)}"
        return {"flag": "true or false", "text": "text"}.get(self.kind or "", "any value")

    def allows(self, value: Json) -> bool:
        """Whether a value may be sent."""
        if self.values is not None:
            return any(type(value) is type(allowed) and value == allowed for allowed in self.values)
        if self.kind is None:
            return True
        if not _KINDS[self.kind](value):
            return False
        return self.kind != "whole" or (self.least or 0) <= value <= (math.inf if self.most is None else self.most)


def _bounds(least: int | None, most: int | None) -> str:
    if most is None:
        return "" if least is None else f" from {least}"
    return f" from {least or 0} to {most}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRule:
    """The references, or the masks, that a model takes. Sizes in bytes; what is None is not checked."""

    least: int = 0
    most: int | None = None
    most_bytes: int | None = None
    large_bytes: int | None = None
    """Above this some documents say no: a warning."""
    formats: tuple[str, ...] | None = None
    square: bool = False
    """Width and height must be equal."""
    alpha: bool = False
    """An alpha channel is needed."""
    same_size: bool = False
    """A mask must have the pixels of the first reference."""
    urls: bool = True
    """Whether an image may be given by its URL."""


def read_value(section: Section) -> ValueRule:
    """Read `{values}`, or `{kind, least, most}`, each with `doubtful` and `reason`; nothing in it allows everything."""
    values = section.read("values", scalars)
    least, most = section.read("least", whole), section.read("most", whole)
    kind = section.read("kind", _kind) or ("whole" if least is not None or most is not None else None)
    rule = ValueRule(
        values=values,
        kind=kind,
        least=least,
        most=most,
        doubtful=section.read("doubtful", scalars) or (),
        reason=section.read("reason", text),
    )
    section.close()
    return rule


def read_images(section: Section) -> ImageRule:
    """Read the fields of an `ImageRule` under their own names."""
    urls = section.read("urls", flag)
    rule = ImageRule(
        least=section.read("least", whole) or 0,
        most=section.read("most", whole),
        most_bytes=section.read("most_bytes", whole),
        large_bytes=section.read("large_bytes", whole),
        formats=section.read("formats", texts),
        square=section.read("square", flag) or False,
        alpha=section.read("alpha", flag) or False,
        same_size=section.read("same_size", flag) or False,
        urls=True if urls is None else urls,
    )
    section.close()
    return rule


def _kind(value: Json) -> str:
    if not isinstance(value, str) or value not in _KINDS:
        raise Expected(f"one of {', '.join(_KINDS)}")
    return value

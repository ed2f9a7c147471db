"""Which sizes a model makes: a list of them, or a rule over pixels. Ratios (3:2) and pixels (1536x1024) are both sizes."""

import math
import re
from dataclasses import dataclass

from orchestrator.providers.hints import closest
from orchestrator.providers.section import Expected, Section, flag, texts, whole

_PAIR = re.compile(r"([1-9]\d{0,4})([x:])([1-9]\d{0,4})")


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeList:
    """These sizes; others only where the list is open."""

    values: tuple[str, ...]
    open: bool = False
    """Whether accounts may have more sizes enabled: then one in pixels that is not listed may still be sent."""

    @property
    def wanted(self) -> str:
        """What a size must be, in words."""
        return f"one of {', '.join(self.values)}"

    def allows(self, size: str) -> bool:
        """Whether the model makes this size, or may make it."""
        return size in self.values or (self.open and "x" in size and pair(size) is not None)

    def nearest(self, size: str) -> str | None:
        """Return the listed size of the most similar shape, else the one that is spelled most alike."""
        asked = pair(size)
        shaped = [(value, found) for value in self.values if (found := pair(value))]
        if asked is None or not shaped:
            return closest(size, self.values)
        return min(shaped, key=lambda item: _distance(asked, item[1]))[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeGrid:
    """Every width and height within these bounds (providers.md 5.3, gpt-image-2 and later). Lengths in pixels."""

    multiple: int
    """Both edges are multiples of this."""
    longest: int
    ratio: int
    """The longer edge is at most this many times the shorter one."""
    least_pixels: int
    most_pixels: int
    also: tuple[str, ...] = ()
    """Words that are sizes too."""

    @property
    def wanted(self) -> str:
        """What a size must be, in words."""
        words = "".join(f", or {word}" for word in self.also)
        return (
            f"WIDTHxHEIGHT with both edges multiples of {self.multiple} up to {self.longest}, ratio at most {self.ratio}:1, "
            f"{self.least_pixels} to {self.most_pixels} pixels{words}"
        )

    def allows(self, size: str) -> bool:
        """Whether the model makes this size."""
        edges = pair(size)
        return size in self.also or ("x" in size and edges is not None and self._fits(*edges))

    def nearest(self, size: str) -> str | None:
        """Return the size after rounding both edges to the grid, if that is one."""
        edges = pair(size)
        if edges is None:
            return closest(size, self.also)
        width, height = (self.multiple * math.floor(edge / self.multiple + 0.5) for edge in edges)
        return f"{width}x{height}" if self._fits(width, height) else None

    def _fits(self, width: int, height: int) -> bool:
        short, long = sorted((width, height))
        return (
            width % self.multiple == height % self.multiple == 0
            and 0 < long <= self.longest
            and long <= self.ratio * short
            and self.least_pixels <= width * height <= self.most_pixels
        )


SizeRule = SizeList | SizeGrid


def pair(size: str) -> tuple[int, int] | None:
    """Return width and height of `1536x1024` or `3:2`; None for any other text."""
    match = _PAIR.fullmatch(size)
    return (int(match[1]), int(match[3])) if match else None


def read_sizes(section: Section) -> SizeRule | None:
    """Read `{values: [...], open: true}`, or `{multiple, longest, ratio, least_pixels, most_pixels, also}`."""
    values = section.read("values", texts)
    if values is not None:
        is_open = section.read("open", flag) or False
        section.close()
        return SizeList(values=values, open=is_open)
    names = ("multiple", "longest", "ratio", "least_pixels", "most_pixels")
    found = {name: number for name in names if (number := section.read(name, _above_zero))}
    also = section.read("also", texts) or ()
    section.close()
    if len(found) < len(names):
        section.needs(f"either values, or all of {', '.join(names)}")
        return None
    return SizeGrid(**found, also=also)


def _above_zero(value: object) -> int:
    number = whole(value)
    if number == 0:
        raise Expected("a whole number from 1")
    return number


def _distance(asked: tuple[int, int], offered: tuple[int, int]) -> tuple[float, float]:
    shape = abs(math.log(asked[0] / asked[1]) - math.log(offered[0] / offered[1]))
    area = abs(math.log(asked[0] * asked[1]) - math.log(offered[0] * offered[1]))
    return round(shape, 6), area

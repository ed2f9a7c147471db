"""What an image costs: price tables and token rates, all of them data. What nobody knows is None, never 0. Money in USD."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeGuard

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Estimate
from orchestrator.providers.sizes import pair

MILLION = Decimal(1_000_000)

_AUTO = (None, "auto")

Table = Mapping[tuple[str | None, str | None], Decimal]
"""(variant, size) -> USD for one image; None stands for any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """USD for a million tokens."""

    text_in: Decimal
    image_in: Decimal
    image_out: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Input tokens of one reference image: usually, and at most."""

    likely: int
    worst: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What of a job decides its price."""

    variant: str | None
    """The value of the field named by `Price.by`."""
    size: str | None
    n: int
    prompt: str = field(repr=False)
    images_in: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One model's price: a table per image, or token rates with a formula, or both (the table then only estimates)."""

    as_of: date | None = None
    source: str | None = None
    by: str = "quality"
    """The field whose value chooses the row."""
    table: Table = field(default_factory=dict)
    rates: Rates | None = None
    factors: Mapping[str, int] = field(default_factory=dict)
    """Quality -> factor of the output token formula (providers.md F.2)."""
    reference_tokens: Tokens | None = None
    typical_variant: str | None = None
    typical_size: str | None = None
    """What an `auto`, or nothing said, most likely becomes."""
    largest_size: str | None = None
    """The size that costs most, where the sizes are not a list."""
    unit: Decimal | None = None
    """USD for one of the provider's own units, where its answers count in those (providers.md 2: TTAPI's quota)."""

    def estimate(self, asked: Asked) -> Estimate:
        """Return the likely and the highest cost of a job, input included where its rate is known."""
        variants = self._variants() if asked.variant in _AUTO else [asked.variant]
        sizes = self._sizes() if asked.size in _AUTO else [asked.size]
        likely = self.image(
            self.typical_variant if asked.variant in _AUTO else asked.variant,
            self.typical_size if asked.size in _AUTO else asked.size,
        )
        known = [cost for variant in variants for size in sizes if (cost := self.image(variant, size)) is not None]
        worst = max(known, default=None)
        input_likely, input_worst = self._input(asked)
        return Estimate(
            likely=None if likely is None else asked.n * likely + input_likely,
            worst=None if worst is None else asked.n * (worst + input_worst),
        )

    def image(self, variant: str | None, size: str | None) -> Decimal | None:
        """Return the price of one image without its input, None where no row and no formula covers it."""
        if self.factors and self.rates:
            tokens = output_tokens(self.factors.get(variant or ""), size or "")
            return None if tokens is None else tokens * self.rates.image_out / MILLION
        keys = ((variant, size), (variant, None), (None, None))
        return next((self.table[key] for key in keys if key in self.table), None)

    def of_usage(self, usage: Mapping[str, Json]) -> Decimal | None:
        """Return the cost of the tokens that an answer counts (`usage` of providers.md 5.3); None where they do not say."""
        output = usage.get("output_tokens")
        # A vector image also burns planner tokens whose rate no official page gives (providers.md F.1).
        if self.rates is None or not _count(output) or "svg_usage" in usage:
            return None
        details = usage.get("input_tokens_details")
        known = details if isinstance(details, Mapping) else {}
        text_in, image_in = known.get("text_tokens", usage.get("input_tokens")), known.get("image_tokens", 0)
        if not _count(text_in) or not _count(image_in):
            return None
        rates = self.rates
        return (text_in * rates.text_in + image_in * rates.image_in + output * rates.image_out) / MILLION

    def _variants(self) -> list[str | None]:
        if self.factors:
            return list(self.factors)
        return list(dict.fromkeys(variant for variant, _ in self.table))

    def _sizes(self) -> list[str | None]:
        listed = list(dict.fromkeys(size for _, size in self.table))
        return [self.typical_size, self.largest_size] if self.factors else listed

    def _input(self, asked: Asked) -> tuple[Decimal, Decimal]:
        if self.rates is None:
            return Decimal(0), Decimal(0)
        images = self.reference_tokens or Tokens(likely=0, worst=0)
        likely, worst = prompt_tokens(asked.prompt)
        return (
            (likely * self.rates.text_in + asked.images_in * images.likely * self.rates.image_in) / MILLION,
            (worst * self.rates.text_in + asked.images_in * images.worst * self.rates.image_in) / MILLION,
        )


def output_tokens(factor: int | None, size: str) -> int | None:
    """Return the tokens of one image by the formula of providers.md F.2; None for a size that is not pixels."""
    edges = pair(size)
    if factor is None or edges is None or "x" not in size:
        return None
    short, long = sorted(edges)
    rows = (2 * factor * short + long) // (2 * long)
    return -(-factor * rows * (2_000_000 + short * long) // 4_000_000)


def prompt_tokens(prompt: str) -> tuple[int, int]:
    """Return the likely and the highest number of tokens of a prompt (providers.md F.4).

    About four Latin characters or one of any other script make a token, and no tokenizer makes more tokens than bytes.
    """
    latin = sum(character.isascii() for character in prompt)
    return -(-latin // 4) + len(prompt) - latin, len(prompt.encode("utf-8", "replace"))


def _count(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

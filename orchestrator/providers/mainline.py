"""The text models that call OpenAI's image tool: what their tokens cost and how long they live (providers.md 5.7). Data, too."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from orchestrator.jobs.spec import Json
from orchestrator.providers.section import Section, day, money, text, texts

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mainline:
    """One text model. Rates in USD for a million tokens; None where no page names one."""

    name: str
    source: str | None = None
    snapshots: tuple[str, ...] = ()
    """Other names of the same model."""
    retires: date | None = None
    successor: str | None = None
    as_of: date | None = None
    tokens_in: Decimal | None = None
    cached_in: Decimal | None = None
    """For input that the API has seen lately."""
    tokens_out: Decimal | None = None

    def cost(self, usage: Mapping[str, Json]) -> Decimal | None:
        """Return what the tokens of an answer's `usage` cost; None where rates or counts are missing."""
        details = usage.get("input_tokens_details")
        cached = details.get("cached_tokens", 0) if isinstance(details, Mapping) else 0
        sent, written = usage.get("input_tokens"), usage.get("output_tokens")
        if self.tokens_in is None or self.tokens_out is None:
            return None
        if not isinstance(sent, int) or not isinstance(written, int) or not isinstance(cached, int):
            return None
        cheap = self.tokens_in if self.cached_in is None else self.cached_in
        return ((sent - cached) * self.tokens_in + cached * cheap + written * self.tokens_out) / MILLION


def read_mainline(section: Section, name: str) -> Mainline:
    """Read the fields of a `Mainline` under their own names."""
    model = Mainline(
        name=name,
        source=section.read("source", text),
        snapshots=section.read("snapshots", texts) or (),
        retires=section.read("retires", day),
        successor=section.read("successor", text),
        as_of=section.read("as_of", day),
        tokens_in=section.read("tokens_in", money),
        cached_in=section.read("cached_in", money),
        tokens_out=section.read("tokens_out", money),
    )
    section.close()
    return model

"""The tiers in which providers sort their accounts, each with its limits per minute."""

from dataclasses import dataclass

from orchestrator.providers.section import Section, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """Limits per minute; None where none is known."""

    rpm: int | None = None
    """Paid requests."""
    ipm: int | None = None
    """Images."""
    poll_rpm: int | None = None


def read_tiers(section: Section | None) -> dict[str, Tier]:
    """Return the tiers of an API by name."""
    found: dict[str, Tier] = {}
    for name, inner in section.sections() if section is not None else ():
        found[name] = Tier(rpm=inner.read("rpm", whole), ipm=inner.read("ipm", whole), poll_rpm=inner.read("poll_rpm", whole))
        inner.close()
    return found

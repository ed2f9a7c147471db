"""How long the rest takes: the limit that binds says it, not the pace of the last jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MINUTE = 60.0


class Binding(StrEnum):
    """What can be in the way, by the name of the setting."""

    IPM = "ipm"
    RPM = "rpm"
    CONCURRENCY = "concurrency"
    OUTSTANDING = "outstanding"


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What one account has still to send."""

    requests: int = 0
    images: int = 0

    def plus(self, requests: int, images: int) -> "Left":
        """Return it with more, or with less for negative numbers; never below nothing."""
        return Left(requests=max(0, self.requests + requests), images=max(0, self.images + images))


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Under which one account works; a limit of None is not known."""

    ipm: float | None = None
    rpm: float | None = None
    free_images: float = 0.0
    """Images that may go at once before `ipm` binds."""
    free_requests: float = 0.0
    concurrency: int
    outstanding: int | None = None
    """None where answers are images, not tasks."""
    answer: float
    """Seconds until a paid request is answered."""
    task: float = 0.0
    """Seconds from then until its task is known to have finished, on average."""
    last: float = 0.0
    """Seconds that the slowest of the tasks take that are out together at the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """When it is done, and why not sooner."""

    seconds: float
    binding: Binding


def spans(left: Left, terms: Terms) -> Mapping[Binding, float]:
    """Return the seconds that each limit needs by itself to let everything left through."""
    found = {Binding.CONCURRENCY: left.requests * terms.answer / terms.concurrency}
    if terms.outstanding is not None:
        found[Binding.OUTSTANDING] = left.requests * (terms.answer + terms.task) / terms.outstanding
    if terms.rpm is not None:
        found[Binding.RPM] = max(0.0, left.requests - terms.free_requests) / terms.rpm * MINUTE
    if terms.ipm is not None:
        found[Binding.IPM] = max(0.0, left.images - terms.free_images) / terms.ipm * MINUTE
    return found


def forecast(left: Left, terms: Terms) -> Forecast:
    """Return how long an account needs: what binds most lets the last one go, which then takes its own time."""
    found = spans(left, terms)
    binding = max(found, key=lambda each: found[each])
    return Forecast(seconds=found[binding] + terms.answer + max(terms.task, terms.last), binding=binding)

"""What is ahead of a run: how long the rest takes, which limit of which account binds, and what stands in the way just now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.engine.desk import Desk
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.forecast import Binding, Forecast, Left, Terms, forecast

_SLOWEST = 0.9
"""Share of tasks that are quicker than those a run waits for at its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """The account that takes longest."""

    account: str
    seconds: float
    binding: Binding
    limit: int
    """What the setting named by `binding` stands at, or was learned to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """An account whose gate is closed."""

    account: str
    seconds: float
    """Until it opens."""
    closures: int
    """How often it was closed in this run."""


class Outlook:
    """Reckons over the desks of a run."""

    def __init__(self, desks: Iterable[Desk], clock: Clock) -> None:
        self._desks, self._clock = desks, clock

    def ahead(self, left: Mapping[str, Left]) -> Ahead | None:
        """Return the account that takes longest to send what is left, or None where too little is known yet."""
        found = [self._of(desk, left[desk.name]) for desk in self._desks if desk.paused is None and desk.name in left]
        known = [each for each in found if each is not None]
        return max(known, key=lambda each: each.seconds) if known and len(known) == len(found) else None

    def holds(self) -> list[Hold]:
        """Return the gates that are closed now."""
        limiters = [(desk.name, desk.limiter) for desk in self._desks if desk.limiter.closed_for > 0]
        return [Hold(account=name, seconds=limiter.closed_for, closures=limiter.closures) for name, limiter in limiters]

    @property
    def throttles(self) -> int:
        """How often accounts were refused for too much in this run."""
        return sum(desk.limiter.throttles for desk in self._desks)

    def _of(self, desk: Desk, left: Left) -> Ahead | None:
        terms = terms_of(desk, self._clock.monotonic())
        if terms is None:
            return None
        found: Forecast = forecast(left, terms)
        limit = getattr(terms, found.binding)
        gate = desk.limiter.closed_for
        return Ahead(account=desk.name, seconds=gate + found.seconds, binding=found.binding, limit=int(limit))


def terms_of(desk: Desk, now: float) -> Terms | None:
    """Return the terms under which an account works, as they were seen so far; None before its first answer."""
    limiter, answer = desk.limiter, desk.limiter.answer
    if answer is None:
        return None
    means = [mean for latency in desk.lessons.latencies.values() if (mean := latency.mean()) is not None]
    if desk.has_tasks and not means:
        return None
    slowest = [latency.quantile(_SLOWEST) or 0.0 for latency in desk.lessons.latencies.values()]
    return Terms(
        ipm=limiter.images.limit,
        rpm=limiter.requests.limit,
        free_images=limiter.images.free(now),
        free_requests=limiter.requests.free(now),
        concurrency=desk.settings.concurrency,
        outstanding=desk.settings.outstanding if desk.has_tasks else None,
        answer=answer,
        task=max(means) + desk.lag if desk.has_tasks else 0.0,
        last=max(slowest) + desk.lag if desk.has_tasks else 0.0,
    )

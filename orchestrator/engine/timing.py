"""How long a plan takes at the limit that binds, and what a higher setting would gain and put at risk."""

from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.forecast import Binding, Left, Terms, forecast
from orchestrator.jobs.lessons import Lessons


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """What twice the binding setting would bring."""

    value: int
    """What `concurrency` or `outstanding` would then stand at."""
    seconds: float
    """How long it would take then."""
    binding: Binding
    """What would bind then."""
    at_risk: Decimal | None
    """USD at worst that a crash could put in doubt then; None for `outstanding`, which risks nothing, or at unknown prices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long one account needs for its part of a plan."""

    account: str
    seconds: float | None
    """None where neither limits nor earlier answers are known."""
    at_least: bool = False
    """Whether it may take longer: how long answers take is not known yet."""
    binding: Binding | None = None
    limit: int | None = None
    gain: Gain | None = None
    """None where neither `concurrency` nor `outstanding` binds: raising them would gain nothing."""


def timing(settings: AccountSettings, lessons: Lessons, left: Left, dearest: Decimal | None, *, has_tasks: bool) -> Timing:
    """Return how long an account needs; `dearest` is the worst case of its dearest request (USD), None if unknown."""
    terms = _terms(settings, lessons, has_tasks=has_tasks)
    if terms is None or not left.requests:
        return Timing(account=settings.name, seconds=None)
    found = forecast(left, terms)
    return Timing(
        account=settings.name,
        seconds=found.seconds,
        at_least=lessons.answer is None,
        binding=found.binding,
        limit=int(getattr(terms, found.binding)),
        gain=_gain(left, terms, found.binding, dearest),
    )


def _terms(settings: AccountSettings, lessons: Lessons, *, has_tasks: bool) -> Terms | None:
    ipm = _lower(settings.ipm, lessons.images.limit)
    rpm = _lower(settings.rpm, lessons.requests.limit)
    if lessons.answer is None and ipm is None and rpm is None:
        return None
    means = [mean for latency in lessons.latencies.values() if (mean := latency.mean()) is not None]
    return Terms(
        ipm=ipm,
        rpm=rpm,
        free_images=ipm or 0.0,
        free_requests=rpm or 0.0,
        concurrency=settings.concurrency,
        outstanding=settings.outstanding if has_tasks else None,
        answer=lessons.answer or 0.0,
        task=max(means, default=0.0) if has_tasks else 0.0,
    )


def _lower(stated: int | None, learned: int | None) -> int | None:
    return min((limit for limit in (stated, learned) if limit is not None), default=None)


def _gain(left: Left, terms: Terms, binding: Binding, dearest: Decimal | None) -> Gain | None:
    if binding is Binding.CONCURRENCY:
        raised = replace(terms, concurrency=2 * terms.concurrency)
    elif binding is Binding.OUTSTANDING and terms.outstanding is not None:
        raised = replace(terms, outstanding=2 * terms.outstanding)
    else:
        return None
    found, value = forecast(left, raised), int(getattr(raised, binding))
    at_risk = dearest * value if dearest is not None and binding is Binding.CONCURRENCY else None
    return Gain(value=value, seconds=found.seconds, binding=found.binding, at_risk=at_risk)

"""What a run of a batch file would do: which of its jobs would be sent, what they may cost, and how far the budgets reach."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.engine.intake import Totals
from orchestrator.engine.timing import Timing, timing
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.forecast import Left
from orchestrator.jobs.lessons import Lessons
from orchestrator.jobs.lifecycle import State
from orchestrator.store.loading import NewJob
from orchestrator.store.reading import KnownJob
from orchestrator.store.spending import Spending

_SENT_BY_A_RUN = (None, State.PENDING, State.BLOCKED)
"""None: a job that is not stored yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The jobs to be sent to one model of one account."""

    account: str
    provider: str
    model: str
    totals: Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How far a budget reaches, in the order in which jobs are sent."""

    money: Spending
    jobs: int
    """To be sent and paid from it."""
    at_worst: int
    """How many of them fit if each costs its worst case."""
    likely: int
    """How many fit if each costs what is likely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account that a plan is for."""

    settings: AccountSettings
    lessons: Lessons
    has_tasks: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a run of a batch file would do."""

    batch: str
    asked: Totals
    """Everything in the file."""
    to_send: Totals
    parts: tuple[Part, ...]
    there: Mapping[State, int]
    """Jobs of the file that are stored already and would not be sent, by state."""
    changed: tuple[str, ...]
    """Keys that ask for something else than when they were stored."""
    budget: Reach | None
    """None where the batch has no budget."""
    days: tuple[Reach, ...]
    """The budgets per day of the accounts, as they stand today (UTC)."""
    times: tuple[Timing, ...] = ()
    """How long each account needs, by itself; accounts work side by side."""


class Planner:
    """Takes the checked jobs of a file, one by one."""

    def __init__(self, known: Mapping[str, KnownJob]) -> None:
        self._known = known
        self._asked = self._whole = Totals()
        self._parts: dict[tuple[str, str, str], Totals] = {}
        self._there: Counter[State] = Counter()
        self._changed: list[str] = []
        self._to_send: list[NewJob] = []

    def take(self, job: NewJob) -> None:
        """Count one job."""
        spec, stored = job.spec, self._known.get(job.spec.key)
        self._asked = self._asked.plus(job)
        if stored is not None and stored.fingerprint != job.fingerprint:
            self._changed.append(spec.key)
        state = stored.state if stored else None
        if state not in _SENT_BY_A_RUN and state is not None:
            self._there[state] += 1
            return
        part = (spec.account, spec.provider, spec.model)
        self._parts[part] = self._parts.get(part, Totals()).plus(job)
        self._whole = self._whole.plus(job)
        self._to_send.append(job)

    def plan(self, batch: Spending, days: Iterable[Spending], accounts: Iterable[Account] = ()) -> Plan:
        """Return the plan; `batch` is the money of the batch, `days` that of the accounts with a budget per day.

        `accounts` are those whose jobs were taken.
        """
        order = sorted(self._to_send, key=lambda job: (-job.spec.priority, job.position))
        parts = [Part(account=a, provider=p, model=m, totals=totals) for (a, p, m), totals in self._parts.items()]
        used = {job.spec.account for job in order}
        return Plan(
            batch=batch.name,
            asked=self._asked,
            to_send=self._whole,
            parts=tuple(parts),
            there=self._there,
            changed=tuple(self._changed),
            budget=_reach(batch, order) if batch.budget is not None else None,
            days=tuple(_reach(day, [job for job in order if job.spec.account == day.name]) for day in days if day.name in used),
            times=tuple(_timing(each, [job for job in order if job.spec.account == each.settings.name]) for each in accounts),
        )


def _timing(account: Account, jobs: Sequence[NewJob]) -> Timing:
    left = Left(requests=sum(job.spec.requests for job in jobs), images=sum(job.spec.n for job in jobs))
    worst = [job.cost_worst / job.spec.requests if job.cost_worst is not None else None for job in jobs]
    dearest = max((cost for cost in worst if cost is not None), default=None) if None not in worst else None
    return timing(account.settings, account.lessons, left, dearest, has_tasks=account.has_tasks)


def _reach(money: Spending, jobs: Sequence[NewJob]) -> Reach:
    left = money.left or Decimal(0)
    return Reach(
        money=money,
        jobs=len(jobs),
        at_worst=_fitting(left, (job.cost_worst for job in jobs)),
        likely=_fitting(left, (job.cost_likely for job in jobs)),
    )


def _fitting(left: Decimal, costs: Iterable[Decimal | None]) -> int:
    number = 0
    for cost in costs:
        left -= cost or Decimal(0)
        if left < 0:
            break
        number += 1
    return number

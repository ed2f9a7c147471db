"""Whether a job fits into what may still be spent. The store decides it, in the transaction that claims the job.

Here its no is remembered. A job that does not fit now may fit later, for whatever is in flight has its worst case reserved and
mostly costs less. So its batch (or its account, when the budget of the day is reached) is set aside until money comes back;
when nothing is left in flight that could bring any, the run is over, and says what is missing.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.engine.news import Event
from orchestrator.jobs.clock import Clock
from orchestrator.store.bookkeeping import BudgetReached
from orchestrator.store.records import Job, NewAttempt
from orchestrator.store.spending import day_of
from orchestrator.store.transitions import Transitions

_GIVES_BACK = frozenset({"job_ready", "job_failed", "part_failed", "job_postponed"})
"""Events after which less is reserved than before, or may be."""

_Purse = int | str
"""Whose money: a batch's, by its id, or an account's, by its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """A budget into which the next job does not fit."""

    batch: str
    account: str
    per_day: bool
    """Whether it is the account's budget of the day, not the batch's."""
    key: str
    """The job that would be next."""
    needed: Decimal | None
    """USD that it may cost at worst; None when nobody knows, which no budget can allow."""
    day: int
    """UTC day of the refusal, counted from 1970-01-01."""


class Budget:
    """Claims jobs within budgets, for all accounts of a run; `batches` (ids) and `accounts` (names) are those that have one."""

    def __init__(self, transitions: Transitions, clock: Clock, batches: Iterable[int] = (), accounts: Iterable[str] = ()) -> None:
        self._transitions, self._clock = transitions, clock
        self._capped: frozenset[_Purse] = frozenset({*batches, *accounts})
        self._short: dict[_Purse, Shortage] = {}
        self._tight: set[_Purse] = set()
        self._turn = asyncio.Lock()
        self._returned = 0
        self.freed: Callable[[], None] = _nobody_waits
        """Called when what was set aside is worth another try."""

    def keep_within(self, batch: int) -> None:
        """Take note that a batch, which joins the run, has a budget."""
        self._capped |= {batch}

    @property
    def shortages(self) -> tuple[Shortage, ...]:
        """The budgets that are reached."""
        return tuple(self._short.values())

    def covers(self, job: Job) -> bool:
        """Say whether a budget stands over a job."""
        return job.batch_id in self._capped or job.account in self._capped

    def holds_back(self, job: Job) -> bool:
        """Say whether a job's batch or account is set aside."""
        return job.batch_id in self._short or job.account in self._short

    def open_batches(self, account: str, batches: Sequence[int]) -> list[int]:
        """Return those of the batches for which an account may send now."""
        return [] if account in self._short else [batch for batch in batches if batch not in self._short]

    async def claim(self, job: Job, attempt: NewAttempt) -> Job:
        """Claim a job as the store's verb does; raise `BudgetReached` and set its batch or account aside when it does not fit.

        Where money has been short once, claims take turns: else every slot would ask the store for each amount that comes back.
        """
        if job.batch_id not in self._tight and job.account not in self._tight:
            return await self._claim(job, attempt)
        async with self._turn:
            short = self._short.get(job.batch_id) or self._short.get(job.account)
            if short is not None:
                raise BudgetReached(per_day=short.per_day)
            return await self._claim(job, attempt)

    async def _claim(self, job: Job, attempt: NewAttempt) -> Job:
        while True:
            returned = self._returned
            try:
                return await self._transitions.claim(job, attempt)
            except BudgetReached as reached:
                if returned == self._returned:
                    self._set_aside(job, per_day=reached.per_day)
                    raise

    def _set_aside(self, job: Job, *, per_day: bool) -> None:
        purse: _Purse = job.account if per_day else job.batch_id
        self._tight.add(purse)
        self._short[purse] = Shortage(
            batch=job.batch,
            account=job.account,
            per_day=per_day,
            key=job.key,
            needed=job.cost_worst,
            day=day_of(self._clock.now()),
        )

    def hear(self, event: Event) -> None:
        """Take note that money may have come back."""
        if event.name in _GIVES_BACK:
            self.look_again()

    def look_again(self) -> None:
        """Let what was set aside try once more."""
        self._returned += 1
        if self._short:
            self._short.clear()
            self.freed()

    def turn_day(self) -> None:
        """Let accounts go on whose budget was that of an earlier UTC day."""
        today = day_of(self._clock.now())
        if any(short.per_day and short.day < today for short in self._short.values()):
            self.look_again()


def _nobody_waits() -> None:
    """Nothing waits before a run begins."""

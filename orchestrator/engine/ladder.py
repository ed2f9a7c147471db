"""What is done about one attempt in doubt, rung by rung (design.md section 5, reliability.md a.4).

Its request goes out again under its idempotency key; its task is looked up by our own reference; a call on its own path is
waited for; and where the account says `uncertain: resubmit`, it is left behind in the end and the job is paid once more.
Everything else is held for the user.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.engine.inbox import Inbox
from orchestrator.engine.lookup import Lookup
from orchestrator.engine.resending import Over, Resending
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import OnUncertain
from orchestrator.providers.base import Shape
from orchestrator.store.doubts import Doubt
from orchestrator.store.records import Job
from orchestrator.store.rescuing import DoubleCostReached

LOOK_UP_AFTER = (0.0, 2.0, 10.0, 60.0)
"""Seconds after the doubt at which a task is looked for."""
LONGEST_GRACE = 1800.0
"""Seconds for which the end of a request in doubt is waited for at most, before its job may be paid again."""
GRACE_BEYOND_SLOWEST = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Climb:
    """A doubt on its way up."""

    job: Job
    looks: int = 0
    """Look-ups made."""
    streak: int = 0
    """Times in a row that the key asked to wait."""
    is_last: bool = False
    """Whether only one last look stands before paying again."""
    is_late: bool = False
    """Whether the attempt was left behind, so that what is found is an extra."""
    awaits_call: bool = False
    """Whether nothing is left to try, and the provider may still call."""


Next = tuple[Climb, float]
"""The next step, and the seconds until it is due."""


class Ladder:
    """Takes one step at a time."""

    def __init__(self, tools: Tools, inbox: Inbox) -> None:
        self._tools, self._inbox = tools, inbox
        self._lookup, self._resending = Lookup(tools), Resending(tools, inbox)
        self.pay_again: Callable[[Job], None] = _nobody

    def can_look(self, job: Job) -> bool:
        """Say whether a provider can be asked for a job's task."""
        return self._lookup.can_ask(job)

    async def climb(self, climb: Climb) -> Next | None:
        """Take the next step of a doubt; None when it is settled, or held. Raises `Stale` when somebody else settled it."""
        if climb.is_late:
            await self._look_for_late(climb.job)
            return None
        if climb.awaits_call:
            await self._hold(climb.job, "nobody called in time to say what became of it")
            return None
        doubt = await self._tools.store.doubts.of(climb.job)
        over = Over(why="nothing can be found out about it")
        if not climb.is_last and self._resending.is_open(climb.job, doubt):
            came = await self._resending.send(climb.job, doubt, climb.streak + 1)
            if came is None:
                return None
            if not isinstance(came, Over):
                job = await self._note(climb.job, came.why, came.wait, resent=came.counts)
                return replace(climb, job=job, streak=0 if came.counts else climb.streak + 1), came.wait
            over = came
        if self._lookup.can_ask(climb.job):
            return await self._look(climb, doubt, over)
        return await self._rest(climb.job, doubt, over)

    async def _look(self, climb: Climb, doubt: Doubt, over: Over) -> Next | None:
        job = climb.job
        report, why = await self._lookup.find(job)
        if report is not None:
            self._tools.news.tell("task_found", job, remote_id=report.remote_id)
            await self._inbox.take(job, report, answer=None, unfinished_at=self._tools.clock.now())
            return None
        looks = climb.looks + 1
        if looks < len(LOOK_UP_AFTER) and not climb.is_last:
            delay = LOOK_UP_AFTER[looks] - LOOK_UP_AFTER[climb.looks]
            return replace(climb, job=await self._note(job, why, delay), looks=looks), delay
        return await self._rest(job, doubt, replace(over, why=why))

    async def _look_for_late(self, job: Job) -> None:
        report, _ = await self._lookup.find(job)
        if report is not None:
            await self._inbox.take_late(job, report, answer=None, unfinished_at=self._tools.clock.now())

    async def _rest(self, job: Job, doubt: Doubt, over: Over) -> Next | None:
        """Wait until the job may be paid again, pay again, wait to be called, or hold it."""
        due = None if over.hold else await self._may_pay_again_at(job, doubt)
        if due is None:
            return await self._await_call(job, doubt, over.why)
        delay = due - self._tools.clock.now()
        if delay > 0:
            return Climb(job=await self._note(job, over.why, delay), is_last=True), delay
        await self._pay_again(job)
        return None

    async def _await_call(self, job: Job, doubt: Doubt, why: str) -> Next | None:
        """Wait for as long as the provider may still call, counted from the intent; then hold the job."""
        is_called = self._tools.callback_paths.are_given(self._tools.provider(job), self._tools.desk(job).settings)
        if doubt.token_hash is not None and is_called:
            patience = doubt.started_at + await self._grace(job) - self._tools.clock.now()
            if patience > 0:
                noted = await self._note(job, f"{why}; it may still be called back", patience)
                return Climb(job=noted, awaits_call=True), patience
        await self._hold(job, why)
        return None

    async def _may_pay_again_at(self, job: Job, doubt: Doubt) -> float | None:
        """Return the Unix seconds from which a job may be paid again by its account's policy; None when never.

        An attempt whose task is known, or that brought a 2xx nobody could read, is surely paid: only the user may pay again.
        """
        settings = self._tools.desk(job).settings
        answered_well = doubt.http_status is not None and doubt.http_status in range(200, 300)
        if settings.uncertain is not OnUncertain.RESUBMIT or job.remote_id is not None or answered_well:
            return None
        synchronous = self._tools.provider(job).capabilities.shape_for(settings.options) is Shape.SYNCHRONOUS
        timeout = settings.timeouts.submit_synchronous if synchronous else settings.timeouts.submit_task
        return doubt.started_at + timeout + await self._grace(job)

    async def _grace(self, job: Job) -> float:
        stated = self._tools.desk(job).settings.uncertain_grace
        if stated is not None:
            return stated
        slowest = await self._tools.store.doubts.slowest(job.account)
        return LONGEST_GRACE if slowest is None else min(LONGEST_GRACE, slowest + GRACE_BEYOND_SLOWEST)

    async def _pay_again(self, job: Job) -> None:
        ceiling = self._tools.desk(job).settings.max_double_cost
        try:
            again = await self._tools.transitions.resubmit(job, ceiling or Decimal(0))
        except DoubleCostReached as error:
            await self._hold(job, str(error))
            return
        self._tools.news.tell("job_resubmitted", again, attempt=job.attempt_id, at_stake=job.cost_reserved)
        self.pay_again(again)

    async def _hold(self, job: Job, why: str) -> None:
        held = await self._tools.transitions.look_again(job, why, next_at=None)
        self._tools.news.tell("job_held", held, reason=why)

    async def _note(self, job: Job, why: str, delay: float, *, resent: bool = False) -> Job:
        note = self._tools.transitions.count_resend if resent else self._tools.transitions.look_again
        return await note(job, why, next_at=self._tools.clock.now() + delay)


def _nobody(job: Job) -> None:
    raise RuntimeError(f"nobody pays for {job.key} again")

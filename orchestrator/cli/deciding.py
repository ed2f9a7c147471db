"""`retry`, `cancel`, `resolve`: the user's word on jobs, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from orchestrator.app import App, CannotResolve, Resolved
from orchestrator.cli.again import Again
from orchestrator.cli.event_words import json_line
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.outcome import USAGE, Refused
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import say
from orchestrator.cli.words import counted, harmless, listed
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.store import operators
from orchestrator.store.operators import Selection
from orchestrator.store.store import Store

_WENT_WRONG = (State.FAILED, State.EXPIRED)
"""What `retry --all` means; whoever cancelled a job must name it to have it sent after all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which jobs the user means."""

    keys: tuple[str, ...]
    every: bool
    code: ErrorCode | None = None
    batch: str | None = None

    def check(self) -> None:
        """Raise `Refused` unless it is clear which jobs are meant."""
        if self.keys and self.every:
            raise Refused("say either keys or --all, not both")
        if not self.keys and not self.every and self.code is None and self.batch is None:
            raise Refused("say which jobs: their keys, --all, or all of an --error or --batch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The user's word on uncertain jobs: exactly one of the four."""

    adopt: str | None
    resubmit: bool
    not_charged: bool
    give_up: bool
    max_cost: Decimal | None = None
    """USD that `resubmit` may pay again at worst, all jobs together."""

    def check(self) -> None:
        """Raise `Refused` unless exactly one is given."""
        if sum((self.adopt is not None, self.resubmit, self.not_charged, self.give_up)) != 1:
            raise Refused("say exactly one of --adopt TASK_ID, --resubmit, --not-charged, --give-up")
        if self.max_cost is not None and not self.resubmit:
            raise Refused("--max-cost limits what --resubmit may pay again, and means nothing without it")

    async def carry_out(self, app: App, chosen: Chosen) -> Resolved:
        """Do it to the jobs; raise `Refused` where it cannot be done as asked."""
        try:
            if self.adopt is not None:
                return await app.adopt(self.adopt, chosen.batch, chosen.keys)
            return await app.resolve(self._act, chosen.batch, chosen.keys, chosen.code)
        except (CannotResolve, operators.TaskTaken, operators.TooDear) as error:
            raise Refused(f"{error}; nothing was changed") from error

    async def _act(self, store: Store, jobs: Selection) -> list[operators.Chosen]:
        if self.resubmit:
            return await store.operators.resubmit(jobs, self.max_cost)
        return await (store.operators.not_charged(jobs) if self.not_charged else store.operators.give_up(jobs))

    @property
    def meaning(self) -> str:
        """What now becomes of the jobs."""
        if self.adopt is not None:
            return "fetched from their task"
        if self.resubmit:
            return "paid again"
        return "sent again" if self.not_charged else "given up"


async def retry(chosen: Chosen, where: Where, voice: Voice) -> int:
    """Put jobs back in line and return the exit code."""
    chosen.check()
    app = app_of(where)
    leaving = (*_WENT_WRONG, State.CANCELLED) if chosen.keys else _WENT_WRONG
    done = await app.retry(chosen.batch, chosen.keys, states=leaving, code=chosen.code)
    _tell(done.acted, "sent again, as new paid requests", voice)
    _say_answered(done, where)
    _say_resume(done.acted, where, voice)
    return await _told_of_others(app, chosen, _keys(done), "retried", leaving)


async def cancel(chosen: Chosen, where: Where, voice: Voice) -> int:
    """Stop jobs that were not sent and return the exit code."""
    chosen.check()
    app = app_of(where)
    leaving = (State.BLOCKED, State.PENDING, State.READY) if chosen.keys else (State.BLOCKED, State.PENDING)
    acted = await app.act(lambda store, jobs: store.operators.cancel(jobs), chosen.batch, chosen.keys, states=leaving)
    _tell(acted, "cancelled", voice)
    return await _told_of_others(app, chosen, [job.key for job in acted], "cancelled", (State.BLOCKED, State.PENDING))


async def resolve(chosen: Chosen, answer: Answer, where: Where, voice: Voice) -> int:
    """Settle uncertain jobs and return the exit code."""
    answer.check()
    chosen.check()
    if answer.adopt is not None and len(chosen.keys) != 1:
        raise Refused("a task belongs to one job: say --adopt TASK_ID with exactly one key")
    app = app_of(where)
    done = await answer.carry_out(app, chosen)
    _tell(done.acted, answer.meaning, voice)
    _say_answered(done, where)
    if not answer.give_up:
        _say_resume(done.acted, where, voice)
    return await _told_of_others(app, chosen, _keys(done), "resolved", (State.UNCERTAIN,))


def _keys(done: Resolved) -> list[str]:
    return [*(job.key for job in done.acted), *done.answered]


def _say_answered(done: Resolved, where: Where) -> None:
    if done.answered:
        left = f"{counted(len(done.answered), 'job')} left alone: {listed(done.answered)}"
        say(f"{left}; the paid answer was found on the disk, and `{Again(where=where).line('resume')}` makes images of it")


def _tell(acted: Sequence[operators.Chosen], what: str, voice: Voice) -> None:
    if voice.json:
        for job in acted:
            print(json_line({"batch": job.batch, "key": job.key, "was": str(job.state), "now": what}))
    elif not voice.quiet:
        verb = "is" if len(acted) == 1 else "are"
        print(
            f"{counted(len(acted), 'job')} {verb} {what}: {listed(job.key for job in acted)}" if acted else "nothing was changed"
        )


def _say_resume(acted: Sequence[operators.Chosen], where: Where, voice: Voice) -> None:
    if acted and not voice.quiet:
        batches = sorted({job.batch for job in acted})
        say(f"they go on with: {Again(where=where).line('resume', *(batches if len(batches) == 1 else []))}")


async def _told_of_others(app: App, chosen: Chosen, done: Sequence[str], verb: str, leaving: Sequence[State]) -> int:
    """Say why nothing was done to a key that the user named, and return the exit code."""
    missed = [key for key in chosen.keys if not any(known == key or fnmatchcase(known, key) for known in done)]
    batch = (await app.overviews(chosen.batch))[0].batch.id if missed and chosen.batch else None
    for key in missed:
        rows = await app.jobs(Selection(batch_id=batch, keys=(key,)), 1)
        why = f"it is {rows[0]['state']}, and not {' or '.join(leaving)}" if rows else "there is no such job"
        say(f"error: {harmless(key)} cannot be {verb}: {why}")
    return USAGE if missed else 0

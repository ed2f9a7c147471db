"""`retry`, `cancel`, `resolve`: the user's word on jobs, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from orchestrator.app import Action, App
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
        if not self.keys and not self.every:
            raise Refused("say which jobs: their keys, or --all")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The user's word on uncertain jobs: exactly one of the four."""

    adopt: str | None
    resubmit: bool
    not_charged: bool
    give_up: bool

    def check(self) -> None:
        """Raise `Refused` unless exactly one is given."""
        if sum(bool(getattr(self, field.name)) for field in fields(self)) != 1:
            raise Refused("say exactly one of --adopt TASK_ID, --resubmit, --not-charged, --give-up")

    def action(self) -> Action:
        """Return what to do to the jobs."""

        async def act(store: Store, jobs: Selection) -> list[operators.Chosen]:
            if self.adopt is not None:
                return await store.operators.adopt(jobs, self.adopt)
            verb = (
                store.operators.resubmit if self.resubmit
                else store.operators.not_charged if self.not_charged
                else store.operators.give_up
            )  # fmt: skip
            return await verb(jobs)

        return act

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
    leaving = _WENT_WRONG if chosen.every else (*_WENT_WRONG, State.CANCELLED)
    narrowing = {"states": leaving, "code": chosen.code}
    acted = await app.act(lambda store, jobs: store.operators.retry(jobs), chosen.batch, chosen.keys, **narrowing)
    _tell(acted, "sent again, as new paid requests", voice)
    _say_resume(acted, where, voice)
    return await _told_of_others(app, chosen, [job.key for job in acted], "retried", leaving)


async def cancel(chosen: Chosen, where: Where, voice: Voice) -> int:
    """Stop jobs that were not sent and return the exit code."""
    chosen.check()
    app = app_of(where)
    acted = await app.act(lambda store, jobs: store.operators.cancel(jobs), chosen.batch, chosen.keys)
    _tell(acted, "cancelled", voice)
    return await _told_of_others(app, chosen, [job.key for job in acted], "cancelled", (State.BLOCKED, State.PENDING))


async def resolve(chosen: Chosen, answer: Answer, where: Where, voice: Voice) -> int:
    """Settle uncertain jobs and return the exit code."""
    answer.check()
    chosen.check()
    if answer.adopt is not None and len(chosen.keys) != 1:
        raise Refused("a task belongs to one job: say --adopt TASK_ID with exactly one key")
    app = app_of(where)
    acted, answered = await app.resolve(answer.action(), chosen.batch, chosen.keys, chosen.code)
    if answer.adopt is not None and len(acted) > 1:
        raise Refused(f"a task belongs to one job, and {chosen.keys[0]} means {counted(len(acted), 'job')}; nothing was changed")
    _tell(acted, answer.meaning, voice)
    if answered:
        left = f"{counted(len(answered), 'job')} left alone: {listed(answered)}"
        say(f"{left}; the answer lies on the disk, and `{Again(where=where).line('resume')}` reads it")
    if not answer.give_up:
        _say_resume(acted, where, voice)
    return await _told_of_others(app, chosen, [*(job.key for job in acted), *answered], "resolved", (State.UNCERTAIN,))


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

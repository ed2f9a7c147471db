"""The engine's verbs: one per step of the lifecycle, each demanding the facts of its step.

Each names the state and the attempt it leaves, writes its event in the same transaction, and returns the job as it is
after the commit. `Stale` means somebody was faster, and nothing was changed.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.jobs.attempts import AttemptState, Charged, Phase
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import FINAL, Event, State, after
from orchestrator.jobs.secrets import redacted
from orchestrator.store import chains
from orchestrator.store import statements as sql
from orchestrator.store.bookkeeping import budget_reached
from orchestrator.store.door import Door, Step, Write
from orchestrator.store.facts import Facts, Redact
from orchestrator.store.records import Accepted, AttemptEnd, Delivery, Image, Job, NewAttempt, SavedFile


class Transitions:
    """Writes the steps of jobs; `actor` is who does it, for the history.

    `observe` hears of every committed step: the job as it was, and its new state. `redact` takes secrets out of every text
    that a provider may have written.
    """

    def __init__(self, door: Door, clock: Clock, actor: str, observe: Callable[[Job, State], None], redact: Redact) -> None:
        self._door, self._clock, self._actor, self._observe, self._redact = door, clock, actor, observe, redact
        self._facts = Facts(clock, redact)
        self._accepting: set[str] = set()

    async def claim(self, job: Job, attempt: NewAttempt) -> Job:
        """Write down the attempt and reserve its worst case: nothing may be sent before this has returned.

        Raises `BudgetReached` where that does not fit into what the batch, or the account's day, may still cost.
        """
        values = {"attempt_id": attempt.id, "attempts": job.attempts + 1, "next_at": None}
        used = [
            Step(chains.USE_PARENT, {"child": job.id, "slot": one.slot, "attempt_id": one.attempt_id, "sha256": one.sha256})
            for one in attempt.parents
        ]
        try:
            moved = await self._step(job, Event.CLAIMED, values, self._facts.opened(job, attempt), *used, about=attempt.id)
        except sqlite3.IntegrityError as error:
            raise budget_reached(error) or error from error
        return moved.changed(cost_reserved=job.cost_worst)

    async def postpone(self, job: Job, end: AttemptEnd, *, next_at: float, tries: int, throttles: int) -> Job:
        """End an attempt that provably cost nothing; the job waits until `next_at` (Unix seconds)."""
        values = {"next_at": next_at, "tries": tries, "throttles": throttles}
        return await self._step(job, Event.POSTPONED, values, self._facts.ended(job, end), why=_why(end.failure))

    async def postpone_unsent(self, job: Job, failure: Failure, *, next_at: float, tries: int) -> Job:
        """Put off a job before any attempt was written down: its inputs could not be brought to the provider."""
        return await self._step(job, Event.POSTPONED, {"next_at": next_at, "tries": tries}, why=_why(failure))

    async def refuse(self, job: Job, end: AttemptEnd, failure: Failure) -> Job:
        """End a job that the provider refused: at no cost, unless `end` says otherwise."""
        return await self._finish(job, Event.REFUSED, failure, self._facts.ended(job, end), *self._facts.told(job, end))

    async def refuse_unsent(self, job: Job, failure: Failure) -> Job:
        """End a job that must not be sent: its inputs are no longer what was checked."""
        return await self._finish(job, Event.REFUSED, failure)

    async def accept(self, job: Job, accepted: Accepted) -> Job:
        """Write down the task id: from now on it may be used."""
        now = self._clock.now()
        event = Event.ADOPTED if job.state is State.UNCERTAIN else Event.ACCEPTED
        moved = await self._step(job, event, {"next_at": None, "throttles": 0}, *self._accepted(job, accepted, now))
        self._accepting.add(job.account)
        return moved.changed(remote_id=accepted.remote_id, answered_at=now)

    async def deliver(self, job: Job, delivery: Delivery) -> Job:
        """Write down where the results are, and what they cost."""
        now = self._clock.now()
        others = [*self._accepted(job, delivery.accepted, now, delivery), *self._facts.known(job, delivery)]
        values = {
            "known_at": delivery.known_at,
            "deadline": delivery.deadline,
            "partial": delivery.missing > 0 or (job.part > 0 and job.partial),
            "next_at": None,
            "throttles": 0,
        }
        moved = await self._step(job, Event.DELIVERED, values, *others)
        self._accepting.add(job.account)
        return moved

    async def doubt(self, job: Job, failure: Failure, phase: Phase, *, next_at: float | None) -> Job:
        """Hold an attempt whose answer was lost; with `next_at` a look-up will still be tried then."""
        doubted = self._facts.doubted(job, failure, phase)
        return await self._step(job, Event.DOUBTED, {"next_at": next_at}, doubted, why=_why(failure))

    async def look_again(self, job: Job, why: str, *, next_at: float | None) -> Job:
        """Note a look-up that found nothing; without `next_at` the job is held for the user."""
        return await self._step(job, Event.LOOKED_UP, {"next_at": next_at}, why=why)

    async def fail_task(self, job: Job, end: AttemptEnd, failure: Failure) -> Job:
        """End a job whose task failed at the provider."""
        return await self._finish(job, Event.TASK_FAILED, failure, self._facts.ended(job, end), *self._facts.told(job, end))

    async def start_download(self, job: Job) -> Job:
        """Say that a downloader is at work."""
        return await self._step(job, Event.DOWNLOAD_STARTED, {"error_code": None, "error_message": None})

    async def postpone_download(self, job: Job, images: list[Image], why: str, *, next_at: float | None) -> Job:
        """Put off a download: `images` failed in a way that may pass (none: its downloader died)."""
        tried = self._facts.tried_again(images, why)
        return await self._step(job, Event.DOWNLOAD_POSTPONED, {"next_at": next_at}, *tried, why=why)

    async def hold_download(self, job: Job, failure: Failure) -> Job:
        """Put off a download that the account's settings forbid, until they are changed or the user gives the result up."""
        values = {"next_at": None, "error_code": failure.code, "error_message": self._redact(failure.message)}
        return await self._step(job, Event.DOWNLOAD_POSTPONED, values, why=_why(failure))

    async def ask_again(self, job: Job, images: list[Image], why: str) -> Job:
        """Go back to asking for the task: its links are dead, its results may not be."""
        tried = self._facts.tried_again(images, why)
        return await self._step(job, Event.ASKED_AGAIN, {"next_at": None}, *tried, why=why)

    async def save(self, job: Job, image: Image, saved: SavedFile) -> None:
        """Write down one image of several; the job goes on."""
        await self._door.write(Write(job.id, self._facts.saved(image, saved, job.spec.n)))

    async def finish(self, job: Job, saved: Sequence[tuple[Image, SavedFile]], lost: Sequence[tuple[Image, str]] = ()) -> Job:
        """Write down the last images and the end of the job; with `lost` ones it is partial."""
        end = AttemptEnd(state=AttemptState.DELIVERED, charged=Charged.YES, phase=Phase.ANSWERED)
        others = [
            self._facts.ended(job, end),
            *(self._facts.saved(image, file, job.spec.n) for image, file in saved),
            *(self._facts.lost(image, why) for image, why in lost),
        ]
        partial = job.partial or bool(lost)
        if _has_next_part(job):
            return await self._next_part(job, *others, partial=partial, saved=bool(saved))
        return await self._step(
            job, Event.SAVED, {"next_at": None, "finished_at": self._clock.now(), "partial": partial}, *others
        )

    async def lose(self, job: Job, images: list[Image], failure: Failure) -> Job:
        """End a job whose paid result is gone before it could be fetched."""
        end = AttemptEnd(state=AttemptState.LOST, charged=Charged.YES, phase=Phase.ANSWERED, failure=failure)
        lost = [self._facts.lost(image, failure.message) for image in images]
        return await self._finish(job, Event.LOST, failure, self._facts.ended(job, end), *lost)

    async def give_up_download(self, job: Job, images: list[Image], failure: Failure) -> Job:
        """End a job whose paid result came, but is no image that may be published."""
        end = AttemptEnd(state=AttemptState.LOST, charged=Charged.YES, phase=Phase.ANSWERED, failure=failure)
        lost = [self._facts.lost(image, failure.message) for image in images]
        return await self._finish(job, Event.UNUSABLE, failure, self._facts.ended(job, end), *lost)

    async def _step(
        self,
        job: Job,
        step: Event,
        values: Mapping[str, Any],
        *others: Step,
        why: str | None = None,
        about: str | None = None,
    ) -> Job:
        target = after(job.state, step)
        record = {
            "job_id": job.id,
            "attempt_id": about or job.attempt_id,
            "at": self._clock.now(),
            "event": step,
            "source": job.state,
            "target": target,
            "actor": self._actor,
            "why": self._redact(why) if why is not None else None,
        }
        recorded = (*others, Step(sql.RECORD_EVENT, record))
        await self._door.write(Write(job.id, sql.move(job, step, values), recorded, self._after_end(job, target)))
        known = {name: value for name, value in values.items() if name in Job.__dataclass_fields__}
        self._observe(job, target)
        return job.changed(state=target, **known)

    def _accepted(self, job: Job, accepted: Accepted, now: float, delivery: Delivery | None = None) -> list[Step]:
        steps = [self._facts.accepted(job, accepted, now, delivery)]
        if job.account not in self._accepting:
            steps.append(Step(sql.FIRST_ACCEPTED, {"b_name": job.account, "accepted_at": now}))
        return steps

    def _after_end(self, job: Job, target: State) -> tuple[Step, ...]:
        if not job.children or target not in FINAL:
            return ()
        succeeded = target is State.SUCCEEDED
        return chains.after_end(job.id, succeeded=succeeded, now=self._clock.now(), actor=self._actor)

    async def _next_part(self, job: Job, *others: Step, partial: bool, saved: bool, why: str | None = None) -> Job:
        values = {
            "part": job.part + 1,
            "parts_saved": job.parts_saved + saved,
            "partial": partial,
            "next_at": None,
            "tries": 0,
            "throttles": 0,
            "known_at": None,
            "deadline": None,
        }
        moved = await self._step(job, Event.NEXT_PART, values, *others, why=why)
        return moved.changed(remote_id=None, answered_at=None)

    async def _finish(self, job: Job, step: Event, failure: Failure, *others: Step) -> Job:
        if _has_next_part(job) and job.state is not State.PENDING:
            return await self._next_part(job, *others, partial=True, saved=False, why=_why(failure))
        if job.parts_saved and job.state is not State.PENDING:
            end = {"finished_at": self._clock.now(), "next_at": None, "partial": True}
            return await self._step(job, Event.LAST_PART_MISSED, end, *others, why=_why(failure))
        values = {
            "error_code": failure.code,
            "error_provider_code": redacted(failure.provider_code, self._redact),
            "error_message": self._redact(failure.message),
            "finished_at": self._clock.now(),
            "next_at": None,
        }
        return await self._step(job, step, values, *others, why=_why(failure))


def _has_next_part(job: Job) -> bool:
    return job.part + 1 < job.spec.requests


def _why(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return f"{failure.code}: {failure.message}" if failure.message else ErrorCode(failure.code).value

"""The engine's verbs for attempts whose answer was lost: sent again under their key, left behind, or heard of late."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.attempts import ImageState
from orchestrator.jobs.lifecycle import Event, State
from orchestrator.jobs.secrets import redacted
from orchestrator.store import statements as sql
from orchestrator.store.columns import NANO
from orchestrator.store.door import Stale, Step, Write
from orchestrator.store.records import Delivery, Image, Job, NewImage, SavedFile
from orchestrator.store.tables import attempt
from orchestrator.store.transitions import Transitions

LATE = "late_result"
"""The event of a result that came for an attempt which was left behind; its job stays where it is."""


class DoubleCostReached(Exception):
    """Paying once more by itself would go beyond what the account allows, or nobody knows how far."""


class Rescuing(Transitions):
    """All the engine's verbs, those about doubts among them."""

    async def count_resend(self, job: Job, why: str, *, next_at: float | None) -> Job:
        """Note that a request was sent again under its key and settled nothing."""
        counted = Step(_COUNT_RESEND, {"b_id": job.attempt_id})
        return await self._step(job, Event.LOOKED_UP, {"next_at": next_at}, counted, why=why)

    async def end_impossible_waits(self, batches: Sequence[int], longest: float) -> None:
        """Let jobs go that would wait longer than `longest` seconds: they were put off under a clock that was ahead."""
        facts = {"batches": list(batches), "latest": self._clock.now() + longest}
        await self._door.transact(lambda connection: connection.execute(_END_IMPOSSIBLE_WAITS, facts))

    async def resubmit(self, job: Job, ceiling: Decimal) -> Job:
        """Leave an attempt in doubt behind, so that its job is paid once more; the account's policy allows it.

        What may thus be paid twice is the worst cost of every attempt of this batch and account that was ever left behind to be
        sent again, by this policy or by the user's word. Raises `DoubleCostReached` when it would exceed `ceiling` (USD).
        """
        step = sql.move(job, Event.RESUBMITTED, {"next_at": None, "tries": 0, "throttles": 0})
        record = self._record(job, Event.RESUBMITTED, State.PENDING, "uncertain: resubmit")

        async def work(connection: AsyncConnection) -> None:
            facts = {"attempt": job.attempt_id, "batch": job.batch_id, "account": job.account}
            _check_ceiling((await connection.execute(_DOUBLED, facts)).one(), ceiling)
            if (await connection.execute(step.statement, step.values)).rowcount != 1:
                raise Stale
            await connection.execute(_ABANDON, {"b_id": job.attempt_id, "now": self._clock.now()})
            await connection.execute(sql.RECORD_EVENT, record)

        await self._door.transact(work)
        self._observe(job, State.PENDING)
        return replace(job, state=State.PENDING, next_at=None, tries=0, throttles=0)

    async def keep_late(self, job: Job, number: int, delivery: Delivery) -> list[Image]:
        """Book what came for an attempt that was left behind, the job's `number`-th; return its images, extra and to be fetched.

        They are numbered behind those the job asked for, so that they overwrite nothing. What has no images yet costs nothing
        yet. Raises `Stale` when the attempt was not left behind.
        """
        accepted, first = delivery.accepted, job.spec.n * number
        facts = {
            "b_id": job.attempt_id,
            "remote_id": accepted.remote_id,
            "http_status": accepted.http_status,
            "request_id": redacted(accepted.request_id, self._redact),
            "usage": redacted(dict(delivery.usage), self._redact) if delivery.usage else None,
            "cost_settled": delivery.cost if delivery.images else None,
            "answered_at": self._clock.now(),
        }
        images = [replace(image, index=first + image.index) for image in delivery.images]
        wanted = self._facts.known(job, replace(delivery, images=tuple(images)))
        known = [Step(_KNOW_EXTRA, {**step.values, "state": ImageState.EXTRA}) for step in wanted]
        told = [Step(_RECORD_LATE, self._late(job, len(images)))] if images else []
        await self._door.write(Write(job.id, Step(_BOOK_LATE, facts), (*known, *told)))
        return [_extra(job, image) for image in images]

    async def save_extra(self, job: Job, image: Image, saved: SavedFile) -> None:
        """Write down a late image that is on disk now."""
        facts = {**self._facts.saved(image, saved, 0).values, "b_state": ImageState.EXTRA}
        await self._door.write(Write(job.id, Step(sql.SAVE_IMAGE, facts)))

    async def lose_extra(self, job: Job, image: Image, why: str) -> None:
        """Write down that a late image cannot be had, or cannot be used."""
        guard = {"b_attempt": image.attempt_id, "b_index": image.index, "b_state": ImageState.EXTRA}
        await self._door.write(Write(job.id, Step(sql.LOSE_IMAGE, {**guard, "error": self._redact(why)})))

    def _record(self, job: Job, step: Event, target: State, why: str) -> Mapping[str, Any]:
        return {
            "job_id": job.id,
            "attempt_id": job.attempt_id,
            "at": self._clock.now(),
            "event": step,
            "source": job.state,
            "target": target,
            "actor": self._actor,
            "why": why,
        }

    def _late(self, job: Job, images: int) -> dict[str, Any]:
        return {
            "job_id": job.id,
            "attempt_id": job.attempt_id,
            "at": self._clock.now(),
            "event": LATE,
            "actor": self._actor,
            "why": f"{images} kept as extra",
        }


def _extra(job: Job, image: NewImage) -> Image:
    return Image(
        attempt_id=str(job.attempt_id),
        index=image.index,
        state=ImageState.EXTRA,
        url=image.url,
        base64=image.base64,
        deadline=image.deadline,
    )


def _check_ceiling(row: Any, ceiling: Decimal) -> None:  # noqa: ANN401
    if row.unknown:
        raise DoubleCostReached("nobody knows what it costs at worst, so it cannot be paid again under max_double_cost")
    doubled = Decimal(row.worst or 0) / NANO
    if doubled > ceiling:
        raise DoubleCostReached(f"what may be paid twice would be ${doubled:.4f}, and max_double_cost is ${ceiling}")


_COUNT_RESEND = attempt.update().where(attempt.c.id == bindparam("b_id")).values(resends=attempt.c.resends + 1)
_ABANDON = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), attempt.c.state == "uncertain")
    .values(state="abandoned", ended_at=bindparam("now"))
)
_END_IMPOSSIBLE_WAITS = text(
    "UPDATE job SET next_at = NULL WHERE state = 'pending' AND next_at > :latest AND batch_id IN :batches"
).bindparams(bindparam("batches", expanding=True))
_DOUBLED = text(
    """
    SELECT sum(cost_reserved) AS worst, count(*) - count(cost_reserved) AS unknown
    FROM attempt JOIN job ON job.id = attempt.job_id
    WHERE attempt.id = :attempt OR (
        job.batch_id = :batch AND attempt.account = :account AND attempt.state = 'abandoned' AND attempt.charged <> 'no'
        AND EXISTS (
            SELECT 1 FROM event
            WHERE event.job_id = job.id AND event.attempt_id = attempt.id AND event.event = 'resubmitted'
        )
    )
    """
)
_BOOK_LATE = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), attempt.c.state == "abandoned")
    .values(
        charged="yes",
        phase="answered",
        remote_id=func.coalesce(bindparam("remote_id"), attempt.c.remote_id),
        http_status=func.coalesce(bindparam("http_status"), attempt.c.http_status),
        request_id=func.coalesce(bindparam("request_id"), attempt.c.request_id),
        usage=func.coalesce(attempt.c.usage, bindparam("usage", type_=attempt.c.usage.type)),
        cost_settled=func.coalesce(attempt.c.cost_settled, bindparam("cost_settled", type_=attempt.c.cost_settled.type)),
        answered_at=func.coalesce(attempt.c.answered_at, bindparam("answered_at")),
    )
)
_KNOW_EXTRA = text(
    """
    INSERT INTO image (job_id, attempt_id, part, "index", state, url, base64, deadline, revised_prompt)
    VALUES (:job_id, :attempt_id, 0, :index, :state, :url, :base64, :deadline, :revised_prompt)
    ON CONFLICT (attempt_id, "index") DO UPDATE
    SET url = excluded.url, base64 = excluded.base64, deadline = excluded.deadline, refetches = image.refetches + 1
    WHERE image.file IS NULL
    """
)
_RECORD_LATE = text(
    """
    INSERT INTO event (job_id, attempt_id, at, event, source, target, actor, why)
    SELECT :job_id, :attempt_id, :at, :event, state, state, :actor, :why FROM job WHERE id = :job_id
    """
)

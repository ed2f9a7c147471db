"""The verbs of a repair: a file that is back, a book that was wrong, a result that is gone for good. Each is an event."""

from typing import Any

from sqlalchemy import and_, bindparam, text

from orchestrator.jobs.attempts import AttemptState, ImageState
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import Event, State, after
from orchestrator.store import statements as sql
from orchestrator.store.columns import quoted
from orchestrator.store.door import Door, Step, Write
from orchestrator.store.facts import Redact, on_disk
from orchestrator.store.records import Job, SavedFile
from orchestrator.store.tables import attempt, image

ACTOR = "verify"


class Repairs:
    """Writes what a repair did to the images of jobs at their end; raises `Stale` when such a job was moved meanwhile."""

    def __init__(self, door: Door, clock: Clock, redact: Redact) -> None:
        self._door, self._clock, self._redact = door, clock, redact

    async def restore(self, job: Job, attempt_id: str, index: int, saved: SavedFile, why: str) -> None:
        """Write down the file of a saved image as it is on disk now."""
        restored = Step(_RESTORE, {**_named(attempt_id, index), **on_disk(saved, self._clock.now())})
        await self._write(job, Event.REPAIRED, {}, attempt_id, why, restored)

    async def lose(self, job: Job, attempt_id: str, index: int, why: str) -> None:
        """Write down that a saved image is gone for good, and others of its job are not: a success is partial then."""
        partial = {"partial": True} if job.state is State.SUCCEEDED else {}
        await self._write(job, Event.REPAIRED, partial, attempt_id, why, self._lost(attempt_id, index, why))

    async def lose_last(self, job: Job, attempt_id: str, index: int, why: str) -> None:
        """Write down that the last image of a succeeded job is gone for good, so that the job has expired."""
        message = self._redact(why)
        values = {"error_code": ErrorCode.RESULT_EXPIRED, "error_message": message}
        ended = Step(_LOSE_ATTEMPT, {"b_id": attempt_id, "reason": ErrorCode.RESULT_EXPIRED, "message": message})
        await self._write(job, Event.VANISHED, values, attempt_id, why, self._lost(attempt_id, index, why), ended)

    def _lost(self, attempt_id: str, index: int, why: str) -> Step:
        return Step(_LOSE, {**_named(attempt_id, index), "error": self._redact(why)})

    async def _write(self, job: Job, step: Event, values: dict[str, Any], attempt_id: str, why: str, *others: Step) -> None:
        record = {
            "job_id": job.id,
            "attempt_id": attempt_id,
            "at": self._clock.now(),
            "event": step,
            "source": job.state,
            "target": after(job.state, step),
            "actor": ACTOR,
            "why": self._redact(why),
        }
        await self._door.write(Write(job.id, sql.move(job, step, values), (*others, Step(sql.RECORD_EVENT, record))))


def _named(attempt_id: str, index: int) -> dict[str, Any]:
    return {"b_attempt": attempt_id, "b_index": index}


_SAVED = and_(
    image.c.attempt_id == bindparam("b_attempt"),
    image.c["index"] == bindparam("b_index"),
    text(f"image.state IN ({quoted([ImageState.SAVED, ImageState.EXTRA])})"),
)
_FACTS = ("file", "sha256", "bytes", "format", "width", "height", "downloaded_at")
_RESTORE = image.update().where(_SAVED).values({name: bindparam(name) for name in _FACTS})
_LOSE = image.update().where(_SAVED).values(state=ImageState.LOST, file=None, error=bindparam("error"))
_LOSE_ATTEMPT = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), attempt.c.state == AttemptState.DELIVERED)
    .values(state=AttemptState.LOST, reason=bindparam("reason"), message=bindparam("message"))
)

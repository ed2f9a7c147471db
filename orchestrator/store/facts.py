"""What a step writes beside its job: how its attempt stands, what that cost, and which images there are."""

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.jobs.attempts import AttemptState, Charged, ImageState, Phase
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.secrets import redacted
from orchestrator.store import statements as sql
from orchestrator.store.door import Step
from orchestrator.store.records import Accepted, AttemptEnd, Delivery, Image, Job, NewAttempt, SavedFile

Redact = Callable[[str], str]


class Facts:
    """Builds these steps; every text that a provider may have written passes `redact`."""

    def __init__(self, clock: Clock, redact: Redact) -> None:
        self._clock, self._redact = clock, redact

    def opened(self, job: Job, attempt: NewAttempt) -> Step:
        """Return the step that writes down an attempt before its first byte is sent, with what it costs at worst."""
        return Step(
            sql.OPEN_ATTEMPT,
            {
                "id": attempt.id,
                "job_id": job.id,
                "number": job.attempts + 1,
                "part": job.part,
                "account": job.account,
                "provider": job.spec.provider,
                "state": AttemptState.OPEN,
                "charged": Charged.POSSIBLE,
                "client_ref": attempt.id,
                "token_hash": attempt.token_hash,
                "request_sha256": attempt.request_sha256,
                "idempotency_key": attempt.idempotency_key,
                "worker": attempt.worker,
                "cost_estimated": job.cost_likely,
                "cost_reserved": job.cost_worst,
                "started_at": self._clock.now(),
            },
        )

    def ended(self, job: Job, end: AttemptEnd) -> Step:
        """Return the step that ends a job's attempt."""
        failure = end.failure
        facts = {
            "b_id": job.attempt_id,
            "state": end.state,
            "charged": end.charged,
            "phase": end.phase,
            "reason": failure.code if failure else None,
            "message": self._redact(failure.message) if failure else None,
            "http_status": failure.http_status if failure else None,
            "request_id": redacted(failure.request_id, self._redact) if failure else None,
            "ended_at": self._clock.now(),
        }
        return Step(sql.END_ATTEMPT, facts)

    def accepted(self, job: Job, accepted: Accepted, now: float, delivery: Delivery | None = None) -> Step:
        """Return the step that writes down a yes, and with `delivery` what it costs."""
        facts = {
            "b_id": job.attempt_id,
            "remote_id": accepted.remote_id,
            "spool": accepted.spool,
            "http_status": accepted.http_status,
            "request_id": redacted(accepted.request_id, self._redact),
            "words": redacted(accepted.words, self._redact),
            "answered_at": now,
        }
        if delivery is None:
            return Step(sql.ACCEPT_ATTEMPT, facts)
        return Step(sql.DELIVER_ATTEMPT, {**facts, **self.bill(delivery)})

    def bill(self, told: Delivery | AttemptEnd) -> dict[str, Any]:
        """Return what the provider says that it charged."""
        usage = redacted(dict(told.usage), self._redact) if told.usage else None
        return {"usage": usage, "cost_settled": told.cost}

    def told(self, job: Job, end: AttemptEnd) -> list[Step]:
        """Return the step that settles an attempt, where its end says anything of money."""
        if end.cost is None and not end.usage:
            return []
        return [Step(sql.SETTLE_ATTEMPT, {"b_id": job.attempt_id, **self.bill(end)})]

    def known(self, job: Job, delivery: Delivery) -> list[Step]:
        """Return a step for each image that is to be fetched."""
        return [
            Step(
                sql.KNOW_IMAGE,
                {
                    "job_id": job.id,
                    "attempt_id": job.attempt_id,
                    "index": image.index,
                    "state": ImageState.WANTED,
                    "url": image.url,
                    "base64": image.base64,
                    "deadline": image.deadline,
                    "revised_prompt": redacted(image.revised_prompt, self._redact),
                },
            )
            for image in delivery.images
        ]

    def saved(self, image: Image, saved: SavedFile, wanted: int) -> Step:
        """Return the step for an image on disk; one beyond the `wanted` ones of its job is extra."""
        facts = {
            **_guard(image),
            "state": ImageState.EXTRA if image.index >= wanted else ImageState.SAVED,
            **on_disk(saved, self._clock.now()),
            "degraded": saved.degraded,
        }
        return Step(sql.SAVE_IMAGE, facts)

    def tried_again(self, images: Sequence[Image], why: str) -> list[Step]:
        """Return the steps for images that could not be fetched this time."""
        return [Step(sql.TRY_IMAGE_AGAIN, {**_guard(image), "error": self._redact(why)}) for image in images]

    def lost(self, image: Image, why: str) -> Step:
        """Return the step for an image that cannot be had any more."""
        return Step(sql.LOSE_IMAGE, {**_guard(image), "error": self._redact(why)})

    def doubted(self, job: Job, failure: Failure, phase: Phase) -> Step:
        """Return the step that holds an attempt whose answer was lost."""
        facts = {
            "b_id": job.attempt_id,
            "phase": phase,
            "doubted_at": self._clock.now(),
            "reason": failure.code,
            "message": self._redact(failure.message),
            "http_status": failure.http_status,
            "request_id": redacted(failure.request_id, self._redact),
        }
        return Step(sql.DOUBT_ATTEMPT, facts)


def on_disk(saved: SavedFile, now: float) -> dict[str, Any]:
    """Return what an image's row says of its file."""
    return {
        "file": saved.file,
        "sha256": saved.sha256,
        "bytes": saved.bytes,
        "format": saved.format,
        "width": saved.width,
        "height": saved.height,
        "downloaded_at": now,
    }


def _guard(image: Image) -> dict[str, Any]:
    return {"b_attempt": image.attempt_id, "b_index": image.index, "b_state": ImageState.WANTED}

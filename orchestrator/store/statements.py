"""The hot statements, each built once: the compiled form is cached, and equal statements of a group are sent together."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Update, and_, bindparam, func, text

from orchestrator.jobs.attempts import LIVE, ImageState
from orchestrator.jobs.lifecycle import Event, after
from orchestrator.store.columns import quoted
from orchestrator.store.door import Step
from orchestrator.store.records import Job
from orchestrator.store.tables import account, attempt, event, image, job


@cache
def _moving(*columns: str) -> Update:
    """Return an UPDATE of one job that names the state and the attempt it leaves."""
    return (
        job.update()
        .where(
            job.c.id == bindparam("b_id"),
            job.c.state == bindparam("b_state"),
            job.c.attempt_id.is_not_distinct_from(bindparam("b_attempt")),
        )
        .values({name: bindparam(name) for name in ("state", *columns)})
    )


def move(current: Job, step: Event, values: Mapping[str, Any]) -> Step:
    """Return the guarded step of one job along the lifecycle table; raise `IllegalStep` where there is none."""
    target = after(current.state, step)
    guard = {"b_id": current.id, "b_state": current.state, "b_attempt": current.attempt_id}
    return Step(_moving(*values), {**guard, "state": target, **values})


_LIVE = text(f"attempt.state IN ({quoted(LIVE)})")

RECORD_EVENT = event.insert()

OPEN_ATTEMPT = attempt.insert()

ACCEPT_ATTEMPT = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), _LIVE)
    .values(
        state="accepted",
        phase="answered",
        charged="yes",
        remote_id=func.coalesce(bindparam("remote_id"), attempt.c.remote_id),
        spool=func.coalesce(bindparam("spool"), attempt.c.spool),
        http_status=func.coalesce(bindparam("http_status"), attempt.c.http_status),
        request_id=func.coalesce(bindparam("request_id"), attempt.c.request_id),
        words=func.coalesce(bindparam("words", type_=attempt.c.words.type), attempt.c.words),
        answered_at=func.coalesce(attempt.c.answered_at, bindparam("answered_at")),
        reason=None,
        message=None,
    )
)

DOUBT_ATTEMPT = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), _LIVE)
    .values(
        state="uncertain",
        charged="possible",
        phase=bindparam("phase"),
        doubted_at=bindparam("doubted_at"),
        reason=bindparam("reason"),
        message=bindparam("message"),
        http_status=func.coalesce(bindparam("http_status"), attempt.c.http_status),
        request_id=func.coalesce(bindparam("request_id"), attempt.c.request_id),
    )
)

END_ATTEMPT = (
    attempt.update()
    .where(attempt.c.id == bindparam("b_id"), _LIVE)
    .values(
        state=bindparam("state"),
        charged=bindparam("charged"),
        phase=bindparam("phase"),
        reason=bindparam("reason"),
        message=bindparam("message"),
        http_status=func.coalesce(bindparam("http_status"), attempt.c.http_status),
        request_id=func.coalesce(bindparam("request_id"), attempt.c.request_id),
        ended_at=bindparam("ended_at"),
    )
)

_SETTLED = {
    "usage": func.coalesce(attempt.c.usage, bindparam("usage", type_=attempt.c.usage.type)),
    "cost_settled": func.coalesce(attempt.c.cost_settled, bindparam("cost_settled", type_=attempt.c.cost_settled.type)),
}

SETTLE_ATTEMPT = attempt.update().where(attempt.c.id == bindparam("b_id")).values(_SETTLED)

DELIVER_ATTEMPT = ACCEPT_ATTEMPT.values(_SETTLED)
"""Accepts and settles at once what has come."""

FIRST_ACCEPTED = (
    account.update()
    .where(account.c.name == bindparam("b_name"), account.c.accepted_at.is_(None))
    .values(accepted_at=bindparam("accepted_at"))
)

_WANTED = and_(
    image.c.attempt_id == bindparam("b_attempt"), image.c["index"] == bindparam("b_index"), image.c.state == bindparam("b_state")
)

KNOW_IMAGE = text(
    """
    INSERT INTO image (job_id, attempt_id, part, "index", state, url, base64, deadline, revised_prompt)
    VALUES (:job_id, :attempt_id, 0, :index, :state, :url, :base64, :deadline, :revised_prompt)
    ON CONFLICT (attempt_id, "index") DO UPDATE
    SET url = excluded.url, base64 = excluded.base64, deadline = excluded.deadline, refetches = image.refetches + 1
    WHERE image.state = 'wanted'
    """
)
"""A result asked for again keeps its row and what is known of it; a saved one is not touched."""

SAVE_IMAGE = (
    image.update()
    .where(_WANTED)
    .values(
        {
            **{
                name: bindparam(name)
                for name in ("file", "sha256", "bytes", "format", "width", "height", "degraded", "downloaded_at", "state")
            },
            "url": None,
            "base64": None,
            "error": None,
        }
    )
)

TRY_IMAGE_AGAIN = image.update().where(_WANTED).values(tries=image.c.tries + 1, error=bindparam("error"))

LOSE_IMAGE = image.update().where(_WANTED).values(state=ImageState.LOST, error=bindparam("error"))

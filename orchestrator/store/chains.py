"""Jobs that use images of other jobs: what a parent's end means for its children, in the transaction that brings it.

A child stays `blocked` until every image it needs is saved. It fails when one of them cannot come any more, and so do the
children that need its own; when the parent succeeds after all, exactly those begin to wait again (design.md section 5).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.store.door import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """What a job needs of another one, as it is now; `file` and what follows are None where there is no image."""

    slot: int
    """Which of `JobSpec.parents` it is."""
    key: str
    role: str
    image: int
    account: str
    provider: str
    params: Mapping[str, Json]
    """What was sent for it beside the job's own fields, `extra` among it."""
    attempt_id: str | None
    """The attempt that made the image; where there is none, the latest."""
    remote_id: str | None
    """The task or response whose conversation goes on."""
    image_name: str | None
    """The provider's own name of the image."""
    file: str | None
    """Relative to the output folder."""
    sha256: str | None


def edges(spec: JobSpec) -> list[dict[str, Any]]:
    """Return what a job needs of others, as a row of the waiting room keeps it."""
    roles = ["continues"] * (spec.continues is not None)
    roles += ["mask" if parent is spec.mask else "reference" for parent in spec.parents[len(roles) :]]
    return [
        {"slot": slot, "role": role, "job": parent.job, "image": parent.image}
        for slot, (role, parent) in enumerate(zip(roles, spec.parents, strict=True))
    ]


_KIN = """
    WITH RECURSIVE kin(id) AS (
        SELECT child_id FROM parent WHERE parent_id = :parent
        UNION SELECT parent.child_id FROM parent JOIN kin ON parent.parent_id = kin.id
    )
"""
_ALL = "WITH kin(id) AS (SELECT DISTINCT child_id FROM parent JOIN job ON job.id = child_id WHERE job.batch_id = :batch)"
_MISSING = """
    parent.role <> 'continues' AND NOT EXISTS (
        SELECT 1 FROM image WHERE image.job_id = one.id AND image."index" = parent.image_index AND image.state = 'saved')
"""
_BAD = f"(one.state IN ('failed', 'expired', 'cancelled') OR one.state = 'succeeded' AND {_MISSING})"
_OF_CHILD = "SELECT 1 FROM parent JOIN job AS one ON one.id = parent.parent_id WHERE parent.child_id = job.id AND"
_DOOMED = f"""
    doomed(id) AS (
        SELECT job.id FROM job JOIN kin ON kin.id = job.id WHERE job.state = 'blocked' AND EXISTS ({_OF_CHILD} {_BAD})
        UNION SELECT parent.child_id FROM parent JOIN doomed ON parent.parent_id = doomed.id
        JOIN job ON job.id = parent.child_id WHERE job.state = 'blocked'
    )
"""
_BY_PARENT = "job.state = 'failed' AND job.error_code IN ('parent_failed', 'parent_image_missing')"
_WAITS = f"EXISTS ({_OF_CHILD} (one.state <> 'succeeded' OR {_MISSING}))"
_FREE = f"job.state = 'blocked' AND NOT {_WAITS}"
_EARLY = f"job.state = 'pending' AND {_WAITS}"
_RECORD = "INSERT INTO event (job_id, at, event, source, target, actor, why) SELECT job.id, :now,"
_KIN_JOBS = "FROM job JOIN kin ON kin.id = job.id WHERE"
_WHY = f"""
    coalesce((
        SELECT CASE one.state
            WHEN 'succeeded' THEN 'image ' || parent.image_index || ' of ' || one.key || ' did not come'
            WHEN 'cancelled' THEN one.key || ' was cancelled'
            ELSE one.key || ' ' || one.state END
        FROM parent JOIN job AS one ON one.id = parent.parent_id
        WHERE parent.child_id = job.id AND {_BAD} ORDER BY parent.slot LIMIT 1
    ), 'a job before it failed')
"""
_CODE = f"""
    CASE WHEN EXISTS ({_OF_CHILD} one.state = 'succeeded' AND {_MISSING})
        AND NOT EXISTS ({_OF_CHILD} one.state IN ('failed', 'expired', 'cancelled'))
    THEN 'parent_image_missing' ELSE 'parent_failed' END
"""


def _revival(kin: str) -> list[str]:
    return [
        f"{kin} {_RECORD} 'revived', 'failed', 'blocked', :actor, 'what it needs has come after all' {_KIN_JOBS} {_BY_PARENT}",
        f"""{kin} UPDATE job SET state = 'blocked', error_code = NULL, error_message = NULL, finished_at = NULL
            WHERE {_BY_PARENT} AND id IN (SELECT id FROM kin)""",
    ]


def _blocking(kin: str) -> list[str]:
    return [
        f"{kin} {_RECORD} 'blocked', 'pending', 'blocked', :actor, NULL {_KIN_JOBS} {_EARLY}",
        f"{kin} UPDATE job SET state = 'blocked', next_at = NULL WHERE {_EARLY} AND id IN (SELECT id FROM kin)",
    ]


def _settlement(kin: str) -> list[str]:
    both = f"{kin}, {_DOOMED}"
    return [
        f"""{both} {_RECORD} 'parent_failed', 'blocked', 'failed', :actor, {_WHY}
            FROM job JOIN doomed ON doomed.id = job.id""",
        f"""{both} UPDATE job
            SET state = 'failed', error_code = {_CODE}, error_message = {_WHY}, finished_at = :now, next_at = NULL
            WHERE state = 'blocked' AND id IN (SELECT id FROM doomed)""",
        f"{kin} {_RECORD} 'unblocked', 'blocked', 'pending', :actor, NULL {_KIN_JOBS} {_FREE}",
        f"{kin} UPDATE job SET state = 'pending', next_at = NULL WHERE {_FREE} AND id IN (SELECT id FROM kin)",
    ]


def _texts(statements: list[str]) -> tuple[TextClause, ...]:
    return tuple(text(statement) for statement in statements)


_AFTER_SUCCESS = _texts([*_revival(_KIN), *_settlement(_KIN)])
_AFTER_FAILURE = _texts(_settlement(_KIN))
_OF_BATCH = _texts([*_blocking(_ALL), *_settlement(_ALL)])
_REVIVE_BATCH = _texts(_revival(_ALL))
_PARENTS = text(
    """
    SELECT parent.slot, one.key, parent.role, parent.image_index, one.account, one.provider,
        json_patch(json_extract(one.spec, '$.params'), json_extract(one.spec, '$.extra')) AS params,
        attempt.id AS attempt_id, attempt.remote_id,
        json_extract(attempt.words, '$.images[' || (parent.image_index - attempt.part) || ']') AS image_name,
        image.file, image.sha256
    FROM parent JOIN job AS one ON one.id = parent.parent_id
    LEFT JOIN image ON image.job_id = one.id AND image."index" = parent.image_index AND image.state = 'saved'
    LEFT JOIN attempt ON attempt.id = coalesce(image.attempt_id, one.attempt_id)
    WHERE parent.child_id = :child ORDER BY parent.slot
    """
)
USE_PARENT = text(
    "UPDATE parent SET used_attempt_id = :attempt_id, used_sha256 = :sha256 WHERE child_id = :child AND slot = :slot"
)
"""Says which attempt and which content of a parent a child was made from."""
MADE_FROM = text(
    """
    SELECT parent.child_id AS job_id, parent.role, one.key AS job, parent.image_index AS image, attempt.number AS attempt,
        parent.used_sha256 AS sha256
    FROM parent JOIN job AS one ON one.id = parent.parent_id LEFT JOIN attempt ON attempt.id = parent.used_attempt_id
    WHERE parent.child_id IN :ids ORDER BY parent.child_id, parent.slot
    """
).bindparams(bindparam("ids", expanding=True))
"""What jobs need of others, as the history tells it: with the attempt and the content that were used, once they are."""
_JOIN = text(
    """
    INSERT INTO parent (child_id, slot, parent_id, role, image_index)
    SELECT child.id, json_extract(edge.value, '$.slot'), one.id, json_extract(edge.value, '$.role'),
        json_extract(edge.value, '$.image')
    FROM incoming AS i CROSS JOIN json_each(i.spec, '$.parents') AS edge
    CROSS JOIN job AS child ON child.batch_id = :batch AND child.key = i.key
    CROSS JOIN job AS one ON one.batch_id = :batch AND one.key = json_extract(edge.value, '$.job')
    WHERE i.load = :load AND NOT EXISTS (SELECT 1 FROM parent WHERE parent.child_id = child.id)
    """
)
"""CROSS keeps SQLite to this order: another one compares every job of the batch with every row of the file."""
_FORGET_REPLACED = text(
    """
    DELETE FROM parent WHERE child_id IN (
        SELECT j.id FROM incoming AS i JOIN job AS j ON j.batch_id = :batch AND j.key = i.key
        WHERE i.load = :load AND j.fingerprint <> i.fingerprint AND j.attempts = 0)
    """
)


def after_end(parent: int, *, succeeded: bool, now: float, actor: str) -> tuple[Step, ...]:
    """Return what a job's end does to those that need it; to be written after its own images."""
    facts = {"parent": parent, "now": now, "actor": actor}
    statements = _AFTER_SUCCESS if succeeded else _AFTER_FAILURE
    return tuple(Step(statement, _of(statement, facts)) for statement in statements)


def _of(statement: TextClause, facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in statement._bindparams}  # noqa: SLF001 - there is no other way to ask


async def forget_replaced(connection: AsyncConnection, *, batch: int, load: str) -> None:
    """Cut the ties of stored jobs that ask for something else now."""
    await connection.execute(_FORGET_REPLACED, {"batch": batch, "load": load})


async def join(connection: AsyncConnection, *, batch: int, load: str) -> None:
    """Tie the jobs of a load to their parents."""
    await connection.execute(_JOIN, {"batch": batch, "load": load})


async def settle(connection: AsyncConnection, *, batch: int, now: float, actor: str, revive: bool = False) -> None:
    """Bring every waiting child of a batch to where its parents leave it; with `revive` failed ones may wait again."""
    facts = {"batch": batch, "now": now, "actor": actor}
    for statement in (*(_REVIVE_BATCH if revive else ()), *_OF_BATCH):
        await connection.execute(statement, _of(statement, facts))


async def parents(connection: AsyncConnection, child: int) -> list[Parent]:
    """Return what a job needs of others, by slot."""
    rows = (await connection.execute(_PARENTS, {"child": child})).all()
    return [
        Parent(
            slot=row.slot,
            key=row.key,
            role=row.role,
            image=row.image_index,
            account=row.account,
            provider=row.provider,
            params=json.loads(row.params),
            attempt_id=row.attempt_id,
            remote_id=row.remote_id,
            image_name=row.image_name,
            file=row.file,
            sha256=row.sha256,
        )
        for row in rows
    ]

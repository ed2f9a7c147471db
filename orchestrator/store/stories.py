"""Jobs with everything that happened to them: all of a batch, piece by piece, or one."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.chains import MADE_FROM
from orchestrator.store.rows import decoded_or_text, plain

CHUNK = 500

Place = tuple[int, int]
"""Position and id of a job."""
BEFORE_ALL: Place = (-1, -1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One job with everything that happened to it; rows as the tables have them, JSON decoded, money in USD."""

    job: dict[str, Any]
    attempts: tuple[dict[str, Any], ...]
    images: tuple[dict[str, Any], ...]
    parents: tuple[dict[str, Any], ...] = ()
    """What it needs of other jobs, by slot: role, job, image, and the attempt and sha256 that were used."""
    events: tuple[dict[str, Any], ...] = ()


async def stories(connection: AsyncConnection, batch_id: int) -> AsyncIterator[Story]:
    """Yield every job of a batch in file order with its attempts and images; never more than a chunk in memory."""
    after = BEFORE_ALL
    while chunk := await page(connection, batch_id, after):
        for found in chunk:
            yield found
        after = place_of(chunk[-1])


async def page(connection: AsyncConnection, batch_id: int, after: Place, *, for_audit: bool = False) -> list[Story]:
    """Return the next jobs of a batch behind a place in the order of the file.

    An audit gets their events too, and JSON that cannot be read as the text it is, instead of a `ValueError`.
    """
    facts = {"batch": batch_id, "position": after[0], "id": after[1], "limit": CHUNK}
    jobs = (await connection.execute(_CHUNK, facts)).all()
    ids = [row.id for row in jobs]
    decode = decoded_or_text if for_audit else json.loads
    attempts = await _by_job(connection, _ATTEMPTS, ids, decode)
    images = await _by_job(connection, _IMAGES, ids)
    parents = await _by_job(connection, MADE_FROM, ids)
    events = await _by_job(connection, _EVENTS, ids) if for_audit else {}
    return [
        Story(
            job=plain(row, decode),
            attempts=attempts.get(row.id, ()),
            images=images.get(row.id, ()),
            parents=parents.get(row.id, ()),
            events=events.get(row.id, ()),
        )
        for row in jobs
    ]


def place_of(story: Story) -> Place:
    """Return where a job stands in the order of its file; jobs that left it share a position with others."""
    return (story.job["position"], story.job["id"])


async def story(connection: AsyncConnection, job_id: int) -> Story:
    """Return one job with its whole history."""
    row = (await connection.execute(_ONE, {"id": job_id})).one()
    attempts = await _by_job(connection, _ATTEMPTS, [job_id])
    images = await _by_job(connection, _IMAGES, [job_id])
    parents = await _by_job(connection, MADE_FROM, [job_id])
    events = await _by_job(connection, _EVENTS, [job_id])
    return Story(
        job=plain(row),
        attempts=attempts.get(job_id, ()),
        images=images.get(job_id, ()),
        parents=parents.get(job_id, ()),
        events=events.get(job_id, ()),
    )


async def meta_names(connection: AsyncConnection, batch_id: int) -> list[str]:
    """Return every name that stands in `meta` of a batch, sorted: the last columns of a CSV manifest."""
    rows = await connection.execute(_META, {"batch": batch_id})
    return list(rows.scalars())


async def _by_job(
    connection: AsyncConnection,
    statement: Any,  # noqa: ANN401
    ids: Sequence[int],
    decode: Callable[[str], Any] = json.loads,
) -> dict[int, tuple[dict[str, Any], ...]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in (await connection.execute(statement, {"ids": list(ids)})).all():
        found.setdefault(row.job_id, []).append(plain(row, decode))
    return {job_id: tuple(rows) for job_id, rows in found.items()}


_JOB = "SELECT job.*, batch.name AS batch FROM job JOIN batch ON batch.id = job.batch_id"
_CHUNK = text(
    f"{_JOB} WHERE job.batch_id = :batch AND (job.position, job.id) > (:position, :id) ORDER BY job.position, job.id LIMIT :limit"
)
_ONE = text(f"{_JOB} WHERE job.id = :id")
_ATTEMPTS = text("SELECT * FROM attempt WHERE job_id IN :ids ORDER BY job_id, number").bindparams(
    bindparam("ids", expanding=True)
)
_IMAGES = text('SELECT * FROM image WHERE job_id IN :ids ORDER BY job_id, "index"').bindparams(bindparam("ids", expanding=True))
_EVENTS = text("SELECT * FROM event WHERE job_id IN :ids ORDER BY id").bindparams(bindparam("ids", expanding=True))
_META = text(
    """
    SELECT DISTINCT each.key FROM job, json_each(job.spec, '$.meta') AS each WHERE job.batch_id = :batch ORDER BY each.key
    """
)

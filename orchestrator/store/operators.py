"""The user's verbs: the only ones that leave a state at rest. Each is an event of its own in the history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.clock import Clock
from orchestrator.jobs.lifecycle import FINAL, Event, State, after, sources
from orchestrator.store import chains
from orchestrator.store.columns import NANO
from orchestrator.store.door import Door

USER = "user"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which jobs of a batch a command means; None means any."""

    batch_id: int | None = None
    keys: tuple[str, ...] | None = None
    """Keys, or globs of them."""
    states: tuple[State, ...] | None = None
    code: str | None = None
    """`error.code` of a failed job, or the reason of an uncertain attempt."""
    spared: frozenset[str] = frozenset()
    """Attempts whose jobs are left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A job a command acts on."""

    id: int
    batch_id: int
    batch: str
    key: str
    state: State
    attempt_id: str | None
    cost_worst: Decimal | None
    """USD that one more attempt may cost at worst."""


class TooDear(Exception):
    """Paying again may cost more than the user allowed, or nobody knows what; nothing was changed."""


class TaskTaken(Exception):
    """Another attempt has this task already; nothing was changed."""


def _allow(_chosen: Sequence[Chosen]) -> None:
    """Let the user's word be done."""


class Operators:
    """Commands of the user, each in one transaction."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self._door, self._clock = door, clock

    async def retry(self, selection: Selection) -> list[Chosen]:
        """Put failed, expired or cancelled jobs back to be submitted: a new attempt, and perhaps a new charge."""
        ended = [state for state in sources(Event.RETRIED) if state in FINAL]  # a running task is never retried by a word
        return await self._act(selection, Event.RETRIED, ended, why="retry")

    async def cancel(self, selection: Selection) -> list[Chosen]:
        """Stop jobs that were not sent, and those whose paid result is out of reach: that is given up then."""
        return await self._act(selection, Event.CANCELLED, (State.BLOCKED, State.PENDING, State.READY), why="cancel")

    async def not_charged(self, selection: Selection) -> list[Chosen]:
        """Take the user's word that uncertain attempts cost nothing; their jobs are submitted again."""
        return await self._act(selection, Event.NOT_CHARGED, (State.UNCERTAIN,), why="resolve --not-charged", charged="no")

    async def resubmit(self, selection: Selection, ceiling: Decimal | None = None) -> list[Chosen]:
        """Pay again, knowingly; a late result of the first attempt becomes an extra image.

        Raises `TooDear` when all of it may cost more than `ceiling` (USD) at worst.
        """

        def check(chosen: Sequence[Chosen]) -> None:
            if ceiling is not None:
                _check_cost(chosen, ceiling)

        return await self._act(selection, Event.RESUBMITTED, (State.UNCERTAIN,), why="resolve --resubmit", check=check)

    async def give_up(self, selection: Selection) -> list[Chosen]:
        """Let jobs fail that are uncertain, or whose paid result is out of reach; what they cost, or may have, stays booked."""
        return await self._act(selection, Event.GIVEN_UP, (State.UNCERTAIN, State.READY), why="resolve --give-up")

    async def adopt(self, selection: Selection, remote_id: str) -> list[Chosen]:
        """Tell an uncertain job its task id, found by the user at the provider; it is asked for from now on.

        Raises `TaskTaken` for a task of another attempt. Does nothing unless exactly one job is meant.
        """

        async def work(connection: AsyncConnection) -> list[Chosen]:
            chosen = await choose(connection, selection, (State.UNCERTAIN,))
            if len(chosen) == 1:
                await _check_free(connection, chosen[0], remote_id)
                facts = {"attempt_id": chosen[0].attempt_id, "remote_id": remote_id, "now": self._clock.now()}
                await connection.execute(_ADOPT, facts)
                await self._move(connection, chosen, Event.ADOPTED, f"resolve --adopt {remote_id}")
            return chosen

        return await self._door.transact(work)

    async def _act(
        self,
        selection: Selection,
        step: Event,
        leaving: Sequence[State],
        *,
        why: str,
        charged: str = "possible",
        check: Callable[[Sequence[Chosen]], None] = _allow,
    ) -> list[Chosen]:
        async def work(connection: AsyncConnection) -> list[Chosen]:
            chosen = await choose(connection, selection, leaving)
            check(chosen)
            await self._move(connection, chosen, step, why)
            now = self._clock.now()
            left = [job.attempt_id for job in chosen if job.state is State.UNCERTAIN]
            if left:
                await connection.execute(_ABANDON, [{"id": attempt, "now": now, "charged": charged} for attempt in left])
            out_of_reach = [{"id": job.attempt_id, "now": now, "why": why} for job in chosen if job.state is State.READY]
            if out_of_reach:
                await connection.execute(_FORGO, out_of_reach)
                await connection.execute(_FORGO_IMAGES, out_of_reach)
            return chosen

        return await self._door.transact(work)

    async def _move(self, connection: AsyncConnection, chosen: Sequence[Chosen], step: Event, why: str) -> None:
        if chosen:
            await connection.execute(_MOVE, [self._values(job, step) for job in chosen])
            await connection.execute(_EVENT, [self._event(job, step, why) for job in chosen])
        for batch in {job.batch_id for job in chosen}:
            await chains.settle(connection, batch=batch, now=self._clock.now(), actor=USER)

    def _values(self, job: Chosen, step: Event) -> Mapping[str, Any]:
        target = after(job.state, step)
        return {
            "id": job.id,
            "source": job.state,
            "target": target,
            "finished_at": self._clock.now() if target in FINAL else None,
            "code": "given_up" if target is State.FAILED else None,
            "message": "given up by the user" if target is State.FAILED else None,
        }

    def _event(self, job: Chosen, step: Event, why: str) -> Mapping[str, Any]:
        return {
            "job_id": job.id,
            "attempt_id": job.attempt_id,
            "at": self._clock.now(),
            "event": step,
            "source": job.state,
            "target": after(job.state, step),
            "actor": USER,
            "why": why,
        }


async def choose(connection: AsyncConnection, selection: Selection, leaving: Sequence[State]) -> list[Chosen]:
    """Return the jobs of a selection that stand in one of the states, in the order of their batches.

    A paid result that waits for its download is nobody's to give up; only one that the settings keep out of reach is meant.
    """
    states = [state for state in leaving if selection.states is None or state in selection.states]
    chosen: dict[int, Chosen] = {}
    for key in selection.keys or (None,):
        facts = {"batch": selection.batch_id, "key": key, "states": states, "code": selection.code}
        for row in (await connection.execute(_CHOOSE, facts)).all():
            if row.attempt_id not in selection.spared:
                chosen[row.id] = _chosen(row)
    return list(chosen.values())


def _chosen(row: Any) -> Chosen:  # noqa: ANN401
    return Chosen(
        id=row.id,
        batch_id=row.batch_id,
        batch=row.batch,
        key=row.key,
        state=State(row.state),
        attempt_id=row.attempt_id,
        cost_worst=None if row.cost_worst is None else row.cost_worst / NANO,
    )


def _check_cost(chosen: Sequence[Chosen], ceiling: Decimal) -> None:
    known = [job.cost_worst for job in chosen if job.cost_worst is not None]
    if len(known) < len(chosen):
        unknown = len(chosen) - len(known)
        raise TooDear(
            f"nobody knows what {unknown} of {len(chosen)} would cost: give their account prices, or leave --max-cost out"
        )
    if sum(known, Decimal(0)) > ceiling:
        total = sum(known, Decimal(0)).normalize()
        raise TooDear(f"paying again for {len(chosen)} may cost ${total:f}, more than the ${ceiling:f} of --max-cost")


async def _check_free(connection: AsyncConnection, job: Chosen, remote_id: str) -> None:
    holder = (await connection.execute(_HOLDER, {"remote_id": remote_id, "attempt_id": job.attempt_id})).first()
    if holder is not None:
        raise TaskTaken(f"task {remote_id} belongs to attempt {holder.number} of {holder.key} in {holder.batch} already")


_CHOOSE = text(
    """
    SELECT job.id, job.batch_id, batch.name AS batch, job.key, job.state, job.attempt_id, job.cost_worst
    FROM job JOIN batch ON batch.id = job.batch_id LEFT JOIN attempt ON attempt.id = job.attempt_id
    WHERE job.state IN :states AND (job.state <> 'ready' OR job.error_code IS NOT NULL)
    AND (:batch IS NULL OR job.batch_id = :batch)
    AND (:key IS NULL OR job.key = :key OR job.key GLOB :key)
    AND (:code IS NULL OR job.error_code = :code OR (job.state = 'uncertain' AND attempt.reason = :code))
    ORDER BY job.batch_id, job.position
    """
).bindparams(bindparam("states", expanding=True))
_MOVE = text(
    """
    UPDATE job SET state = :target, next_at = NULL, tries = 0, throttles = 0, finished_at = :finished_at, error_code = :code,
        error_provider_code = NULL, error_message = :message,
        partial = partial AND parts_saved > 0, part = CASE WHEN parts_saved = 0 THEN 0 ELSE part END
    WHERE id = :id AND state = :source
    """
)
_HOLDER = text(
    """
    SELECT other.number, job.key, batch.name AS batch
    FROM attempt AS own
    JOIN attempt AS other ON other.provider = own.provider AND other.remote_id = :remote_id AND other.id <> own.id
    JOIN job ON job.id = other.job_id JOIN batch ON batch.id = job.batch_id
    WHERE own.id = :attempt_id LIMIT 1
    """
)
_EVENT = text(
    """
    INSERT INTO event (job_id, attempt_id, at, event, source, target, actor, why)
    VALUES (:job_id, :attempt_id, :at, :event, :source, :target, :actor, :why)
    """
)
_ABANDON = text(
    """
    UPDATE attempt SET state = 'abandoned', charged = :charged, ended_at = :now WHERE id = :id AND state = 'uncertain'
    """
)
_FORGO = text(
    "UPDATE attempt SET state = 'lost', reason = 'given_up', message = :why, ended_at = :now "
    "WHERE id = :id AND state = 'accepted'"
)
_FORGO_IMAGES = text("UPDATE image SET state = 'lost', error = coalesce(error, :why) WHERE attempt_id = :id AND state = 'wanted'")
_ADOPT = text(
    """
    UPDATE attempt SET state = 'accepted', charged = 'yes', phase = 'answered', remote_id = :remote_id, answered_at = :now
    WHERE id = :attempt_id AND state = 'uncertain'
    """
)

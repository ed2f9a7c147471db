"""How a batch comes into the store: row by row into a waiting room, then with one switch at the end.

A half-read file leaves nothing, and a file that is read again adds only what is new.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.spec import JobSpec
from orchestrator.store import chains, specs
from orchestrator.store.accounts import put_accounts
from orchestrator.store.columns import Money
from orchestrator.store.door import Door
from orchestrator.store.tables import incoming


class Changed(StrEnum):
    """What becomes of a key whose spec has changed since the batch was stored."""

    ERROR = "error"
    KEEP = "keep"
    REPLACE = "replace"


class ChangedSpecs(Exception):
    """Keys of the batch ask for something else than when it was stored; nothing was changed."""

    def __init__(self, keys: Sequence[tuple[int, str]], reason: str) -> None:
        super().__init__(f"{len(keys)} jobs changed: {reason}")
        self.keys, self.reason = keys, reason


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """One row of a batch file, checked."""

    position: int
    spec: JobSpec
    fingerprint: str
    cost_likely: Decimal | None = None
    cost_worst: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchBudget:
    """What a batch may cost in all."""

    amount: Decimal | None = None
    """USD, worst cases included; None is without limit."""
    lasts: bool = False
    """Whether it was said for good, by a flag: settings and file do not replace it, only another such word does."""

    def replaced_by(self, other: "BatchBudget") -> "BatchBudget":
        """Return which of the two counts when `other` is said later."""
        return self if self.lasts and not other.lasts else other


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What a load did."""

    batch_id: int
    added: int
    known: int
    """Rows that were already stored; nothing of them is paid again."""
    kept: tuple[str, ...] = ()
    """Keys whose change was ignored, as told."""
    replaced: tuple[str, ...] = ()
    gone: int = 0
    """Stored jobs that are no longer in the file: not submitted."""


class Loading:
    """One load of one file."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self._door, self._clock = door, clock
        self._load = uuid.uuid4().hex

    async def begin(self) -> None:
        """Sweep out what loads that died have left."""
        await self._door.transact(lambda connection: connection.execute(incoming.delete()))

    async def add(self, jobs: Sequence[NewJob]) -> None:
        """Put a chunk of rows into the waiting room."""
        rows = [self._row(job) for job in jobs]
        await self._door.transact(lambda connection: connection.execute(incoming.insert(), rows))

    def _row(self, job: NewJob) -> dict[str, Any]:
        spec = job.spec
        row = {
            "load": self._load,
            "position": job.position,
            "key": spec.key,
            "fingerprint": job.fingerprint,
            "account": spec.account,
            "provider": spec.provider,
            "model": spec.model,
            "n": spec.n,
            "priority": spec.priority,
            "cost_likely": job.cost_likely,
            "cost_worst": job.cost_worst,
            "spec": specs.to_json(spec),
        }
        return {**row, "seal": specs.seal(row)}

    async def discard(self) -> None:
        """Empty the waiting room: the file was not good."""
        await self._door.transact(lambda connection: connection.execute(_DISCARD, {"load": self._load}))

    async def switch(
        self,
        name: str,
        source: str,
        accounts: Sequence[AccountSettings],
        changed: Changed,
        budget: BatchBudget = BatchBudget(),
        *,
        weight: int = 1,
    ) -> Loaded:
        """Make the rows the batch, in one transaction; raise `ChangedSpecs` or `AccountInUse`, and then nothing has happened."""

        async def work(connection: AsyncConnection) -> Loaded:
            await put_accounts(connection, accounts)
            batch_id = await self._put_batch(connection, name, source, budget, weight)
            return await self._switch(connection, batch_id, changed)

        return await self._door.transact(work)

    async def _put_batch(self, connection: AsyncConnection, name: str, source: str, budget: BatchBudget, weight: int) -> int:
        facts = {"name": name, "source": source, "now": self._clock.now(), "weight": weight}
        await connection.execute(_PUT_BATCH, {**facts, "budget": budget.amount, "lasts": budget.lasts})
        batch_id: int = (await connection.execute(_BATCH_ID, facts)).scalar_one()
        return batch_id

    async def _switch(self, connection: AsyncConnection, batch_id: int, changed: Changed) -> Loaded:
        facts = {"load": self._load, "now": self._clock.now(), "batch": batch_id}
        different = (await connection.execute(_DIFFERENT, facts)).all()
        replaced = await self._settle_changes(connection, facts, different, changed)
        known = (await connection.execute(_KNOWN, facts)).scalar_one()
        await connection.execute(_UPDATE, facts)
        await connection.execute(_PRICE_ATTEMPTS, facts)
        added = await _count(connection, _INSERT, facts)
        await chains.join(connection, batch=batch_id, load=self._load)
        await chains.settle(connection, batch=batch_id, now=self._clock.now(), actor="user")
        gone = await _count(connection, _GONE, facts)
        await connection.execute(_COUNT_ROWS, facts)
        await connection.execute(_DISCARD, facts)
        kept = tuple(row.key for row in different) if changed is Changed.KEEP else ()
        return Loaded(batch_id=batch_id, added=added, known=known, kept=kept, replaced=replaced, gone=gone)

    async def _settle_changes(
        self, connection: AsyncConnection, facts: Mapping[str, Any], different: Sequence[Any], changed: Changed
    ) -> tuple[str, ...]:
        if not different or changed is Changed.KEEP:
            return ()
        if changed is Changed.ERROR:
            raise ChangedSpecs([(row.position, row.key) for row in different], "--changed keep runs the stored ones")
        sent = [(row.position, row.key) for row in different if row.attempts]
        if sent:
            raise ChangedSpecs(sent, "they were already sent; give them another id instead")
        await chains.forget_replaced(connection, batch=facts["batch"], load=self._load)
        await connection.execute(_REPLACED_EVENT, facts)
        await connection.execute(_REPLACE, facts)
        return tuple(row.key for row in different)


async def _count(connection: AsyncConnection, statement: Any, facts: Mapping[str, Any]) -> int:  # noqa: ANN401
    result: CursorResult[Any] = await connection.execute(statement, facts)
    return result.rowcount


_DISCARD = text("DELETE FROM incoming WHERE load = :load")
_PUT_BATCH = text(
    """
    INSERT INTO batch (name, source, created_at, loaded_at, weight, budget, budget_lasts)
    VALUES (:name, :source, :now, :now, :weight, :budget, :lasts)
    ON CONFLICT (name) DO UPDATE SET source = excluded.source, loaded_at = excluded.loaded_at, weight = excluded.weight,
        budget = CASE WHEN batch.budget_lasts AND NOT excluded.budget_lasts THEN batch.budget ELSE excluded.budget END,
        budget_lasts = batch.budget_lasts OR excluded.budget_lasts
    """
).bindparams(bindparam("budget", type_=Money))
_BATCH_ID = text("SELECT id FROM batch WHERE name = :name")
_MATCH = "FROM incoming AS i JOIN job AS j ON j.batch_id = :batch AND j.key = i.key WHERE i.load = :load"
_DIFFERENT = text(f"SELECT i.key, i.position, j.attempts {_MATCH} AND j.fingerprint <> i.fingerprint ORDER BY i.position")
_KNOWN = text(f"SELECT count(*) {_MATCH}")
_UPDATE = text(
    """
    UPDATE job SET position = i.position, priority = i.priority, gone = 0, cost_likely = i.cost_likely, cost_worst = i.cost_worst
    FROM incoming AS i WHERE i.load = :load AND job.batch_id = :batch AND job.key = i.key
    """
)
_PRICE_ATTEMPTS = text(
    """
    UPDATE attempt
    SET cost_reserved = CASE WHEN json_extract(job.spec, '$.fan_out')
        THEN (job.cost_worst + job.n - 1) / job.n ELSE job.cost_worst END
    FROM job
    WHERE job.id = attempt.job_id AND job.batch_id = :batch AND attempt.cost_reserved IS NULL AND job.cost_worst IS NOT NULL
    """
)
"""An attempt whose price nobody knew takes the one that is known now, so that a budget can count it; with `fan_out` its share."""
_REPLACE = text(
    """
    UPDATE job SET fingerprint = i.fingerprint, account = i.account, provider = i.provider, model = i.model, n = i.n,
        spec = i.spec, seal = i.seal, state = 'pending', next_at = NULL, finished_at = NULL, tries = 0,
        error_code = NULL, error_provider_code = NULL, error_message = NULL
    FROM incoming AS i
    WHERE i.load = :load AND job.batch_id = :batch AND job.key = i.key AND job.fingerprint <> i.fingerprint AND job.attempts = 0
    """
)
_REPLACED_EVENT = text(
    """
    INSERT INTO event (job_id, at, event, source, target, actor, why)
    SELECT j.id, :now, 'replaced', j.state, 'pending', 'user', 'the batch file asks for something else now'
    FROM incoming AS i JOIN job AS j ON j.batch_id = :batch AND j.key = i.key
    WHERE i.load = :load AND j.fingerprint <> i.fingerprint AND j.attempts = 0
    """
)
_INSERT = text(
    """
    INSERT INTO job (batch_id, position, key, fingerprint, account, provider, model, n, priority, cost_likely, cost_worst, spec,
        seal, state, created_at)
    SELECT :batch, i.position, i.key, i.fingerprint, i.account, i.provider, i.model, i.n, i.priority, i.cost_likely, i.cost_worst,
        i.spec, i.seal, CASE WHEN json_extract(i.spec, '$.parents') IS NULL THEN 'pending' ELSE 'blocked' END, :now
    FROM incoming AS i
    WHERE i.load = :load AND NOT EXISTS (SELECT 1 FROM job AS j WHERE j.batch_id = :batch AND j.key = i.key)
    ORDER BY i.position
    """
)
_GONE = text(
    """
    UPDATE job SET gone = 1 WHERE batch_id = :batch
    AND NOT EXISTS (SELECT 1 FROM incoming AS i WHERE i.load = :load AND i.key = job.key)
    """
)
_COUNT_ROWS = text("UPDATE batch SET jobs = (SELECT count(*) FROM incoming WHERE load = :load) WHERE id = :batch")
"""What `verify` counts by: how many rows the file had when it was last loaded."""

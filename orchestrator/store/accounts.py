"""Account rows: settings as the batch was loaded with, and what must outlive a restart - pauses and first contact."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.jobs.accounts import AccountSettings, OnError, OnUncertain, Timeouts
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.spec import Json
from orchestrator.store.tables import account


class AccountInUse(Exception):
    """An account would change its provider or address while a request to the old one is open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRow:
    """An account as the store knows it."""

    settings: AccountSettings
    accepted_at: float | None
    """Unix seconds of the first accepted attempt ever; None before the first contact."""
    paused_at: float | None
    pause_code: str | None
    pause_message: str | None
    gate_until: float | None = None
    """Unix seconds until which the account was told to wait."""
    gate_streak: int = 0
    """How often in a row it was."""
    learned: Mapping[str, Json] | None = None
    """What `jobs.lessons` keeps."""

    @property
    def pause(self) -> Failure | None:
        """Why the account stands still, if it does."""
        if self.paused_at is None:
            return None
        return Failure(code=ErrorCode(str(self.pause_code)), message=self.pause_message or "")


async def put_accounts(connection: AsyncConnection, accounts: Sequence[AccountSettings]) -> None:
    """Store the settings a batch was loaded with; raise `AccountInUse`."""
    for settings in accounts:
        open_elsewhere = (
            await connection.execute(
                _OPEN_ELSEWHERE, {"name": settings.name, "provider": settings.provider, "base_url": settings.base_url}
            )
        ).scalar_one()
        if open_elsewhere:
            raise AccountInUse(
                f"account {settings.name}: provider or base_url cannot change while {open_elsewhere} of its requests are open; "
                "resume or resolve them first"
            )
        facts = {"settings": to_json(settings), "budget_per_day": settings.budget_per_day}
        await connection.execute(_PUT, {**_identity(settings), **facts})


def _identity(settings: AccountSettings) -> dict[str, str]:
    return {"name": settings.name, "provider": settings.provider, "base_url": settings.base_url}


async def read_accounts(connection: AsyncConnection) -> dict[str, AccountRow]:
    """Return every account by name."""
    rows = (await connection.execute(select(account))).all()
    return {row.name: _row(row) for row in rows}


def _row(row: Any) -> AccountRow:  # noqa: ANN401
    return AccountRow(
        settings=from_json(row.settings),
        accepted_at=row.accepted_at,
        paused_at=row.paused_at,
        pause_code=row.pause_code,
        pause_message=row.pause_message,
        gate_until=row.gate_until,
        gate_streak=row.gate_streak,
        learned=row.learned,
    )


async def pause(connection: AsyncConnection, name: str, failure: Failure, now: float) -> None:
    """Stop an account until the user resumes it; the first reason stays."""
    await connection.execute(_PAUSE, {"name": name, "now": now, "code": failure.code, "message": failure.message})


async def keep(connection: AsyncConnection, name: str, learned: Mapping[str, Json], gate_until: float, gate_streak: int) -> None:
    """Keep what an account has taught, and until when (Unix seconds) it is to be left alone."""
    await connection.execute(_KEEP, {"name": name, "learned": learned, "until": gate_until, "streak": gate_streak})


async def recently_sent(connection: AsyncConnection, name: str, since: float) -> list[tuple[float, int]]:
    """Return when requests of an account began, from `since` (Unix seconds) on, oldest first, and how many images each asks for.

    Only the latest attempts are looked at: more than that are not sent in a minute, and no index would be worth its writing.
    """
    rows = await connection.execute(_RECENT, {"name": name, "since": since, "most": _MOST_RECENT})
    return [(row.started_at, row.images) for row in rows]


async def lift(connection: AsyncConnection, name: str) -> None:
    """Let a paused account go on."""
    await connection.execute(_LIFT, {"name": name})


_OPEN_ELSEWHERE = text(
    """
    SELECT count(*) FROM attempt JOIN account ON account.name = attempt.account
    WHERE attempt.account = :name AND attempt.state IN ('open', 'accepted', 'uncertain')
    AND (account.provider <> :provider OR account.base_url <> :base_url)
    """
)
_PUT = text(
    """
    INSERT INTO account (name, provider, base_url, settings, budget_per_day)
    VALUES (:name, :provider, :base_url, :settings, :budget_per_day)
    ON CONFLICT (name) DO UPDATE SET provider = excluded.provider, base_url = excluded.base_url, settings = excluded.settings,
        budget_per_day = excluded.budget_per_day,
        accepted_at = CASE WHEN account.base_url = excluded.base_url THEN account.accepted_at END,
        learned = CASE WHEN account.base_url = excluded.base_url THEN account.learned END
    """
).bindparams(
    bindparam("settings", type_=account.c.settings.type), bindparam("budget_per_day", type_=account.c.budget_per_day.type)
)
_PAUSE = text(
    """
    UPDATE account SET paused_at = :now, pause_code = :code, pause_message = :message WHERE name = :name AND paused_at IS NULL
    """
)
_KEEP = text("UPDATE account SET learned = :learned, gate_until = :until, gate_streak = :streak WHERE name = :name").bindparams(
    bindparam("learned", type_=account.c.learned.type)
)
_MOST_RECENT = 10_000
_RECENT = text(
    """
    SELECT attempt.started_at, CASE WHEN json_extract(job.spec, '$.fan_out') THEN 1 ELSE job.n END AS images
    FROM attempt JOIN job ON job.id = attempt.job_id
    WHERE attempt.rowid > (SELECT max(rowid) FROM attempt) - :most AND attempt.account = :name
        AND attempt.started_at >= :since AND attempt.state NOT IN ('not_sent', 'throttled')
    ORDER BY attempt.started_at
    """
)
_LIFT = text("UPDATE account SET paused_at = NULL, pause_code = NULL, pause_message = NULL WHERE name = :name")


_AMOUNTS = ("max_double_cost", "budget_per_day")


def to_json(settings: AccountSettings) -> dict[str, Any]:
    """Return settings as JSON values."""
    return {
        name: str(value) if isinstance(value, Decimal) else (list(value) if isinstance(value, tuple) else value)
        for name, value in asdict(settings).items()
    }


def from_json(stored: Mapping[str, Any]) -> AccountSettings:
    """Return settings as they were."""
    known = {name: value for name, value in stored.items() if name in AccountSettings.__dataclass_fields__}
    amounts = {name: Decimal(known[name]) for name in _AMOUNTS if known.get(name) is not None}
    return AccountSettings(
        **{
            **known,
            "timeouts": Timeouts(**known["timeouts"]),
            "allow_hosts": tuple(known["allow_hosts"]),
            "uncertain": OnUncertain(known["uncertain"]),
            "on_500": OnError(known["on_500"]),
            "on_502": OnError(known["on_502"]),
            **amounts,
        }
    )

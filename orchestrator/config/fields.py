"""The fields that settings may have, and how what is wrong with them is said."""

import difflib
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.batchfile import Problems
from orchestrator.config.notify import NotifyFields
from orchestrator.jobs.accounts import OnError, OnUncertain
from orchestrator.jobs.durations import seconds, size_in_bytes
from orchestrator.jobs.money import usd
from orchestrator.jobs.places import Place

PlaceOf = Callable[[tuple[str, ...]], Place | None]
"""Where the value at a path stands, if anybody knows."""

Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size_in_bytes)]
Usd = Annotated[Decimal, BeforeValidator(usd)]


class TimeoutFields(BaseModel):
    """`timeouts` of an account."""

    model_config = ConfigDict(extra="forbid")
    connect: Duration | None = None
    submit_task: Duration | None = None
    submit_synchronous: Duration | None = None
    poll: Duration | None = None
    upload: Duration | None = None
    download: Duration | None = None
    download_stall: Duration | None = None


class AccountFields(BaseModel):
    """An account as it may be written; what is not given comes from its provider."""

    model_config = ConfigDict(extra="forbid")
    provider: str | None = None
    base_url: str | None = None
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    concurrency: int | None = Field(None, ge=1, le=1000, strict=True)
    outstanding: int | None = Field(None, ge=1, le=100_000, strict=True)
    rpm: int | None = Field(None, ge=1, strict=True)
    ipm: int | None = Field(None, ge=1, strict=True)
    poll_rpm: int | None = Field(None, ge=1, strict=True)
    tier: str | None = None
    task_deadline: Duration | None = None
    min_free: Size | None = None
    url_lifetime: Duration | None = None
    upload_lifetime: Duration | None = None
    fit_references: bool | None = Field(None, strict=True)
    black_white_masks: bool | None = Field(None, strict=True)
    uncertain: OnUncertain | None = None
    uncertain_grace: Duration | None = None
    max_double_cost: Usd | None = None
    idempotency_header: str | None = None
    idempotency_ttl: Duration | None = None
    on_500: OnError | None = None
    on_502: OnError | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    proxy: str | None = None
    timeouts: TimeoutFields = Field(default_factory=TimeoutFields)
    allow_hosts: list[str] = Field(default_factory=list)
    prices: dict[str, Any] = Field(default_factory=dict)
    budget_per_day: Usd | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    allow_retired: bool | None = None


class SettingsFile(BaseModel):
    """`orchestrator.toml`."""

    model_config = ConfigDict(extra="forbid")
    accounts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    db: str | None = None
    out: str | None = None
    budget: Usd | None = None
    silence: list[str] = Field(default_factory=list)
    catalog: dict[str, Any] = Field(default_factory=dict)
    notify: NotifyFields | None = None


def report(error: ValidationError, problems: Problems, model: type[BaseModel], place: PlaceOf, *, prefix: str) -> None:
    """Add every error of a settings model to the problems, in our words and at its place."""
    for found in error.errors():
        path = tuple(str(part) for part in found["loc"])
        name = prefix + ".".join(path)
        if found["type"] == "extra_forbidden":
            problems.add(f"{name} is unknown{hint(path[-1], model.model_fields)}", place(path))
        else:
            message = found["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            got = f"; got {found['input']!r}" if isinstance(found["input"], str | int | float | bool) else ""
            problems.add(
                f"{name} must be {message}{got}" if found["type"] != "value_error" else f"{name}: {message}", place(path)
            )


def hint(name: str, known: Iterable[str]) -> str:
    """Return how an unknown name might be meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"

"""Settings from `orchestrator.toml`, the batch file, the environment and flags: checked whole, all problems at once.

Precedence: flag > environment > batch file > orchestrator.toml > catalog. A batch file is not trusted with keys: what it says
may not send a key anywhere but where it belongs.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.batchfile import Header, Problems
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings, OnError, OnUncertain, Timeouts
from orchestrator.jobs.durations import seconds, size_in_bytes
from orchestrator.jobs.places import Place
from orchestrator.jobs.secrets import Secret
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Provider, Shape
from orchestrator.providers.registry import Registry, UnknownProvider

SYNCHRONOUS_SLOTS = 8
TASK_SLOTS = 4

PlaceOf = Callable[[tuple[str, ...]], Place | None]
"""Where the value at a path stands, if anybody knows."""

Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size_in_bytes)]


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
    uncertain: Literal["hold"] | None = None
    uncertain_grace: Duration | None = None
    on_500: OnError | None = None
    on_502: OnError | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    proxy: str | None = None
    timeouts: TimeoutFields = Field(default_factory=TimeoutFields)
    allow_hosts: list[str] = Field(default_factory=list)
    prices: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)
    allow_retired: bool | None = None


class SettingsFile(BaseModel):
    """`orchestrator.toml`."""

    model_config = ConfigDict(extra="forbid")
    accounts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    db: str | None = None
    out: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSettings:
    """What `orchestrator.toml` says."""

    path: Path | None = None
    accounts: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    db: str | None = None
    out: str | None = None


NOT_YET = {
    "idempotency_header": "idempotency keys are",
    "idempotency_ttl": "idempotency keys are",
    "budget_per_day": "budgets are",
    "max_double_cost": "resubmitting by itself is",
}
"""Fields of design.md section 6 that a later version brings; refused by name, never ignored."""


def read_settings(path: Path | None, problems: Problems) -> FileSettings:
    """Read `orchestrator.toml`: the file given, or the one in the working directory if it is there."""
    found = path or Path("orchestrator.toml")
    if path is None and not found.is_file():
        return FileSettings()
    try:
        data = tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        problems.add(f"this file cannot be read: {error.strerror or error}", Place(str(found)))
        return FileSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.add(f"this is no TOML: {error}", Place(str(found)))
        return FileSettings()
    for late in ("budget", "notify"):
        if data.pop(late, None) is not None:
            problems.add(f"`{late}` is not supported yet; take it out of the file", Place(str(found)))
    try:
        checked = SettingsFile.model_validate(data)
    except ValidationError as error:
        _report(error, problems, SettingsFile, lambda _: Place(str(found)), prefix="")
        return FileSettings()
    return FileSettings(path=found, accounts=checked.accounts, defaults=checked.defaults, db=checked.db, out=checked.out)


@dataclass(frozen=True, kw_only=True, slots=True)
class Overrides:
    """What flags say of accounts."""

    concurrency: int | None = None
    trust_accounts: bool = False


class Accounts:
    """Builds the accounts of a run from every source."""

    def __init__(self, registry: Registry, settings: FileSettings, overrides: Overrides, problems: Problems) -> None:
        self._registry, self._settings, self._overrides, self._problems = registry, settings, overrides, problems

    def of(self, header: Header) -> dict[str, AccountSettings]:
        """Return every account a batch file may name: its own, those of the settings file, and one per provider id."""
        names = [*header.accounts, *self._settings.accounts, *self._registry.ids()]
        found = {name: self._account(name, header) for name in dict.fromkeys(names)}
        return {name: account for name, account in found.items() if account is not None}

    def again(self, stored: AccountSettings) -> AccountSettings:
        """Return a stored account with the limits and policies that the settings file names now; for `resume`."""
        fields = self._checked(stored.name, self._settings.accounts.get(stored.name, {}), lambda _: self._file_place())
        if fields is None:
            return stored
        changed = {k: v for k, v in _given(fields).items() if k not in ("provider", "base_url", "api_key_env")}
        return self._built({**_as_given(stored), **changed})

    def _account(self, name: str, header: Header) -> AccountSettings | None:
        written = header.accounts.get(name, {})

        def place(path: tuple[str, ...]) -> Place | None:
            if path and path[0] in written:
                return header.account_places.get((name, *path[:1])) or header.account_places.get((name,))
            return header.account_places.get((name,)) or self._file_place()

        merged = {**self._settings.accounts.get(name, {}), **written}
        fields = self._checked(name, merged, place)
        if fields is None:
            return None
        provider_id = fields.provider or name
        try:
            provider = self._registry.get(provider_id)
        except UnknownProvider as error:
            self._problems.add(f"account {name}: {error}", place(("provider",)))
            return None
        given = {
            "provider": provider_id,
            "base_url": provider.default_base_url,
            "api_key_env": provider.default_key_variable,
            "concurrency": self._slots(provider_id),
            **_given(fields),
            "name": name,
        }
        if self._overrides.concurrency is not None:
            given["concurrency"] = self._overrides.concurrency
        account = self._built({**given, "base_url": _tidy(given["base_url"])})
        self._check_address(account, place(("base_url",)))
        self._check_options(account, place(("options",)))
        if set(written) & {"base_url", "api_key_env", "proxy"}:
            self._check_trust(account, provider.default_key_variable, place(("base_url",)))
        return account

    def _checked(self, name: str, written: Mapping[str, Json], place: PlaceOf) -> AccountFields | None:
        for late in NOT_YET.keys() & written.keys():
            self._problems.add(f"accounts.{name}.{late}: {NOT_YET[late]} not supported yet", place((late,)))
        if written.get("uncertain") == "resubmit":
            self._problems.add(f"accounts.{name}.uncertain: resubmit is not supported yet; use hold", place(("uncertain",)))
            return None
        known = {key: value for key, value in written.items() if key not in NOT_YET}
        try:
            return AccountFields.model_validate(known)
        except ValidationError as error:
            _report(error, self._problems, AccountFields, place, prefix=f"accounts.{name}.")
            return None

    def _built(self, given: Mapping[str, Any]) -> AccountSettings:
        timeouts = given.get("timeouts") or {}
        return AccountSettings(
            **{
                **given,
                "timeouts": timeouts if isinstance(timeouts, Timeouts) else Timeouts(**timeouts),
                "allow_hosts": tuple(given.get("allow_hosts", ())),
                "uncertain": OnUncertain(given.get("uncertain", OnUncertain.HOLD)),
            }
        )

    def _slots(self, provider_id: str) -> int:
        found = self._registry.get(provider_id)
        member = found if isinstance(found, Provider) else self._registry.provider(found.members[0])
        return SYNCHRONOUS_SLOTS if member.capabilities.shape is Shape.SYNCHRONOUS else TASK_SLOTS

    def _check_address(self, account: AccountSettings, place: Place | None) -> None:
        if account.base_url == SIMULATOR:
            return
        try:
            parts = urlsplit(account.base_url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.username
            _ = parts.port
        except ValueError:
            good = False
        if not good:
            self._problems.add(
                f"accounts.{account.name}.base_url must be like https://api.example.com, or simulator; got {account.base_url}",
                place,
            )

    def _check_options(self, account: AccountSettings, place: Place | None) -> None:
        found = self._registry.get(account.provider)
        members = [found] if isinstance(found, Provider) else [self._registry.provider(member) for member in found.members]
        known = {name: allowed for member in members for name, allowed in member.options().items()}
        for name, value in account.options.items():
            where = f"accounts.{account.name}.options.{name}"
            if name not in known:
                self._problems.add(f"{where} is unknown{_hint(name, known)}", place)
            elif isinstance(allowed := known[name], tuple) and value not in allowed:
                self._problems.add(f"{where} must be one of {', '.join(map(str, allowed))}; got {value}", place)
            elif isinstance(allowed, type) and not isinstance(value, allowed):
                self._problems.add(f"{where} must be a {allowed.__name__}; got {value}", place)

    def _check_trust(self, account: AccountSettings, own_variable: str, place: Place | None) -> None:
        """Refuse a batch file that would send a key where it does not belong (design.md section 5)."""
        if self._overrides.trust_accounts or account.base_url == SIMULATOR or _is_loopback(account.base_url):
            return
        host = urlsplit(account.base_url).hostname or ""
        own_host = host in self._registry.known_hosts(account.provider)
        if own_host and account.api_key_env == own_variable and account.proxy is None:
            return
        self._problems.add(
            f"account {account.name} would send the key in {account.api_key_env} to {host}; "
            "a batch file may not decide that: move the account to orchestrator.toml, or run with --trust-accounts",
            place,
        )

    def _file_place(self) -> Place | None:
        return Place(str(self._settings.path)) if self._settings.path else None


def keys_of(accounts: Mapping[str, AccountSettings], problems: Problems) -> dict[str, Secret]:
    """Return the key of each account from the environment; every missing one is one clear line."""
    found: dict[str, Secret] = {}
    for account in accounts.values():
        if account.base_url == SIMULATOR:
            continue
        value = os.environ.get(account.api_key_env, "").strip()
        if value:
            found[account.name] = Secret(value)
        else:
            problems.add(f"account {account.name}: its key is missing; set the environment variable {account.api_key_env}")
    return found


def _report(error: ValidationError, problems: Problems, model: type[BaseModel], place: PlaceOf, *, prefix: str) -> None:
    for found in error.errors():
        path = tuple(str(part) for part in found["loc"])
        name = prefix + ".".join(path)
        if found["type"] == "extra_forbidden":
            problems.add(f"{name} is unknown{_hint(path[-1], model.model_fields)}", place(path))
        else:
            message = found["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            got = f"; got {found['input']!r}" if isinstance(found["input"], str | int | float | bool) else ""
            problems.add(
                f"{name} must be {message}{got}" if found["type"] != "value_error" else f"{name}: {message}", place(path)
            )


def _given(fields: AccountFields) -> dict[str, Any]:
    """Return what was really written, ready for `AccountSettings`."""
    values = {name: getattr(fields, name) for name in fields.model_fields_set}
    if "timeouts" in values:
        values["timeouts"] = {k: v for k, v in fields.timeouts.model_dump().items() if v is not None}
    return {name: value for name, value in values.items() if value is not None}


def _as_given(settings: AccountSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in AccountSettings.__dataclass_fields__}


def _tidy(url: str) -> str:
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"

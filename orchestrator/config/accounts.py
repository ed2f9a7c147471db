"""Accounts joined from every source that may name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from orchestrator.batchfile import Header, Problems
from orchestrator.config.fields import AccountFields, PlaceOf, hint, report
from orchestrator.config.file import FileSettings
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings, OnUncertain, Timeouts
from orchestrator.jobs.places import Place
from orchestrator.jobs.secrets import looks_like_a_key
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Provider, Shape
from orchestrator.providers.registry import Registry, UnknownProvider

SYNCHRONOUS_SLOTS = 8
TASK_SLOTS = 4

NOT_YET = {
    "idempotency_header": "idempotency keys are",
    "idempotency_ttl": "idempotency keys are",
    "budget_per_day": "budgets are",
    "max_double_cost": "resubmitting by itself is",
}
"""Fields of design.md section 6 that a later version brings; refused by name, never ignored."""


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
        if self._overrides.concurrency is not None:
            changed["concurrency"] = self._overrides.concurrency
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

    def _check_no_keys(self, name: str, written: Mapping[str, Json], place: PlaceOf) -> None:
        for field, value in written.items():
            values = value.values() if isinstance(value, Mapping) else [value]
            if any(isinstance(text, str) and looks_like_a_key(text) for text in values):
                message = "looks like a key; keys come from the environment only: name their variable in api_key_env"
                self._problems.add(f"accounts.{name}.{field} {message}", place((field,)))

    def _checked(self, name: str, written: Mapping[str, Json], place: PlaceOf) -> AccountFields | None:
        for late in NOT_YET.keys() & written.keys():
            self._problems.add(f"accounts.{name}.{late}: {NOT_YET[late]} not supported yet", place((late,)))
        if written.get("uncertain") == "resubmit":
            self._problems.add(f"accounts.{name}.uncertain: resubmit is not supported yet; use hold", place(("uncertain",)))
            return None
        self._check_no_keys(name, written, place)
        known = {key: value for key, value in written.items() if key not in NOT_YET}
        try:
            return AccountFields.model_validate(known)
        except ValidationError as error:
            report(error, self._problems, AccountFields, place, prefix=f"accounts.{name}.")
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
        return SYNCHRONOUS_SLOTS if self._registry.shape(provider_id) is Shape.SYNCHRONOUS else TASK_SLOTS

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
                self._problems.add(f"{where} is unknown{hint(name, known)}", place)
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

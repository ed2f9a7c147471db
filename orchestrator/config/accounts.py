"""Accounts joined from every source that may name them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from orchestrator.batchfile import Header, Problems
from orchestrator.config.doubts import wrong_about_doubts
from orchestrator.config.fields import AccountFields, PlaceOf, hint, report
from orchestrator.config.file import FileSettings
from orchestrator.config.network import keys_in, wrong_in
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings, OnUncertain, Timeouts
from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Provider, Shape
from orchestrator.providers.registry import Registry, UnknownProvider

SYNCHRONOUS_SLOTS = 8
TASK_SLOTS = 4


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
        """Return every account a batch file may name: its own, those of the settings file, and one per provider.

        A provider without an address of its own, spoken by relays only, needs an account that says where.
        """
        at_home = [name for name in self._registry.ids() if self._registry.get(name).default_base_url]
        names = [*header.accounts, *self._settings.accounts, *at_home]
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
        tier = self._tier(stored.name, stored.provider, changed, self._file_place())
        account = self._built({**_as_given(stored), **tier, **changed})
        self._check_doubts(account, lambda _: self._file_place())
        return account

    def _check_doubts(self, account: AccountSettings, place: PlaceOf) -> None:
        for field, wrong in wrong_about_doubts(account):
            self._problems.add(f"accounts.{account.name}.{field} {wrong}", place((field,)))

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
            "concurrency": self._slots(provider_id, fields.options),
            **self._tier(name, provider_id, _given(fields), place(("tier",))),
            **_given(fields),
            "name": name,
        }
        if self._overrides.concurrency is not None:
            given["concurrency"] = self._overrides.concurrency
        account = self._built({**given, "base_url": _tidy(given["base_url"])})
        self._check_doubts(account, place)
        for field, wrong in wrong_in(account):
            if account.base_url or field != "base_url" or provider.default_base_url:  # else its jobs say what is missing
                self._problems.add(f"accounts.{name}.{field} {wrong}", place((field,)))
        self._check_options(account, place(("options",)))
        if not self._is_trusted(account):
            self._check_trust(account, set(written), provider.default_key_variable, place)
        return account

    def _checked(self, name: str, written: Mapping[str, Json], place: PlaceOf) -> AccountFields | None:
        for field, wrong in keys_in(written):
            self._problems.add(f"accounts.{name}.{field} {wrong}", place((field,)))
        try:
            return AccountFields.model_validate(written)
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

    def _tier(self, name: str, provider: str, given: Mapping[str, Any], place: Place | None) -> dict[str, int]:
        """Return the limits of the tier that an account is in, if it says so."""
        if (tier := given.get("tier")) is None:
            return {}
        known = self._registry.tiers(provider)
        if tier not in known:
            advice = f"one of {', '.join(known)}" if known else f"left out: none of {provider} is known; set rpm and ipm instead"
            self._problems.add(f"accounts.{name}.tier must be {advice}; got {tier}", place)
            return {}
        return {limit: value for limit, value in asdict(known[tier]).items() if value is not None}

    def _slots(self, provider_id: str, options: Mapping[str, Json]) -> int:
        return SYNCHRONOUS_SLOTS if self._registry.shape(provider_id, options) is Shape.SYNCHRONOUS else TASK_SLOTS

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

    def _is_trusted(self, account: AccountSettings) -> bool:
        return self._overrides.trust_accounts or account.base_url == SIMULATOR or _is_loopback(account.base_url)

    def _check_trust(self, account: AccountSettings, written: set[str], own_variable: str, place: PlaceOf) -> None:
        """Refuse a batch file that would send a key where it does not belong, or fetch from inside (design.md section 5)."""
        host = urlsplit(account.base_url).hostname or ""
        own_host = host in self._registry.known_hosts(account.provider)
        at_home = own_host and account.api_key_env == own_variable and account.proxy is None
        if written & {"base_url", "api_key_env", "proxy"} and not at_home:
            self._distrust(account, f"would send the key in {account.api_key_env} to {host}", place(("base_url",)))
        if "allow_hosts" in written:
            hosts = ", ".join(account.allow_hosts)
            self._distrust(account, f"would fetch results from {hosts} even inside this network", place(("allow_hosts",)))

    def _distrust(self, account: AccountSettings, what: str, place: Place | None) -> None:
        advice = "a batch file may not decide that: move the account to orchestrator.toml, or run with --trust-accounts"
        self._problems.add(f"account {account.name} {what}; {advice}", place)

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

"""What can be wrong in a job before anything is sent, judged by the catalog: model, prompt, size, n, params, extra fields."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Finding
from orchestrator.providers.catalog import Api, Model
from orchestrator.providers.hints import closest, did_you_mean, said
from orchestrator.providers.hosts import at_home, host_of
from orchestrator.providers.price_list import problems_of
from orchestrator.providers.rules import ValueRule

SOON = timedelta(days=30)
"""How long before its last day a model is warned about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One job with everything it is judged by."""

    spec: JobSpec
    account: AccountSettings
    api: Api
    today: date
    reserved: Mapping[str, str]
    """Fields the adapter writes itself -> why nobody else may."""

    @property
    def model(self) -> Model:
        """The rules for the job's model."""
        return self.api.rules(self.spec.model)

    @property
    def where(self) -> str:
        """The API and model that a rule belongs to, in brackets."""
        return f"({self.api.id} {self.spec.model})"

    def findings(self) -> Iterator[Finding]:
        """Yield everything but what concerns references and masks."""
        yield from self._model()
        yield from self._prompt()
        yield from self._size()
        yield from self._value(("n",), "n", self.model.n, self.spec.n)
        yield from self._params()
        yield from self._extra()
        if wrong := problems_of(self.account.prices, self.spec.model):
            yield Finding(path=("account",), message=f"the account's own price cannot be used: {wrong}")

    def _model(self) -> Iterator[Finding]:
        name, model = self.spec.model, self.model
        if not at_home(self.account, self.api):
            return
        if name not in self.api.models:
            hint = did_you_mean(closest(name, self.api.models))
            message = f"model {said(name)} is not in the catalog of {self.api.id}; it is sent as it is, limits unchecked{hint}"
            yield Finding(path=("model",), message=message, severity=Severity.WARNING)
        elif model.retires and not self.account.allow_retired:
            yield from self._retirement(model.retires)

    def _retirement(self, last: date) -> Iterator[Finding]:
        name, host = self.spec.model, host_of(self.account.base_url)
        instead = f"; use {self.model.successor}" if self.model.successor else ""
        if last <= self.today:
            message = f"model {name} was shut down at {host} on {last}{instead}, or set allow_retired on the account"
            yield Finding(path=("model",), message=message)
        elif last - self.today <= SOON:
            message = f"model {name} will be shut down at {host} on {last}{instead}"
            yield Finding(path=("model",), message=message, severity=Severity.WARNING)

    def _prompt(self) -> Iterator[Finding]:
        prompt, longest = self.spec.prompt, self.model.prompt
        if not prompt.strip():
            yield Finding(path=("prompt",), message=f"prompt must not be empty {self.where}")
        elif longest is not None and len(prompt) > longest:
            message = f"prompt must be at most {longest} characters {self.where}; got {len(prompt)}"
            yield Finding(path=("prompt",), message=message)
        if any("\ud800" <= character <= "\udfff" for character in prompt):
            yield Finding(path=("prompt",), message="prompt holds half of a surrogate pair, which no request can carry")

    def _size(self) -> Iterator[Finding]:
        rule, size = self.model.size, (self.spec.size or "").strip()
        if rule and size and not rule.allows(size):
            yield self._refusal(("size",), "size", rule.wanted, size, rule.nearest(size))

    def _params(self) -> Iterator[Finding]:
        known = self.model.params if self.spec.model in self.api.models else self.api.unlisted.params
        for name, value in {**self.account.params, **self.spec.params}.items():
            path: FieldPath = ("params", name)
            if name in self.model.refused:
                yield Finding(path=path, message=f"{name} cannot be sent {self.where}: {self.model.refused[name]}")
            elif name in known:
                yield from self._value(path, name, known[name], value)
            elif name in self.spec.params:
                yield self._unknown(path, name, known)
            else:
                yield from self._sent_as_it_is(path, name, value, warn=False)

    def _unknown(self, path: FieldPath, name: str, known: Mapping[str, ValueRule]) -> Finding:
        hint = did_you_mean(closest(name, known))
        way_out = f"; {self.reserved[name]}" if name in self.reserved else "; use extra: to send it as it is"
        return Finding(path=path, message=f"{said(name)} is not a parameter {self.where}{hint}{way_out}")

    def _extra(self) -> Iterator[Finding]:
        for name, value in self.spec.extra.items():
            yield from self._sent_as_it_is(("extra", name), name, value, warn=True)

    def _sent_as_it_is(self, path: FieldPath, name: str, value: Json, *, warn: bool) -> Iterator[Finding]:
        if name in self.reserved:
            yield Finding(path=path, message=f"{name} cannot be sent as it is: {self.reserved[name]} {self.where}")
        elif not _is_json(value):
            yield Finding(path=path, message=f"{name} must be a JSON value; got {said(value)}")
        elif warn:
            message = f"{name} is sent as it is, unchecked {self.where}"
            yield Finding(path=path, message=message, severity=Severity.WARNING)

    def _value(self, path: FieldPath, label: str, rule: ValueRule, value: Json) -> Iterator[Finding]:
        if not _is_json(value) or not rule.allows(value):
            listed = [str(allowed) for allowed in rule.values or ()]
            yield self._refusal(path, label, rule.wanted, value, closest(str(value), listed))
        elif value in rule.doubtful:
            message = f"{label} {said(value)} may be refused {self.where}: {rule.reason}"
            yield Finding(path=path, message=message, severity=Severity.WARNING)

    def _refusal(self, path: FieldPath, label: str, wanted: str, value: Json, nearest: str | None) -> Finding:
        return Finding(path=path, message=f"{label} must be {wanted} {self.where}; got {said(value)}{did_you_mean(nearest)}")


def _is_json(value: Json) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True

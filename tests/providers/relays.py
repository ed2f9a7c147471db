"""Adapters for relays and gateways, and jobs, accounts and orders for them."""

from collections.abc import Mapping
from typing import Any

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Order, Provider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import Registry

from .making import ATTEMPT, local, today

TTAPI = ("ttapi-images", "ttapi-edits", "ttapi-dalle3", "ttapi-4o")
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "chat": {"model": "gpt-4o-image"},
    "gpt-image-2": {"model": "gpt-image-2", "size": "1024x1024"},
    "openai-variations": {"model": "dall-e-2", "references": (local(),)},
    "ttapi-images": {"model": "gpt-image-1", "prompt": "draw a mug"},
    "ttapi-edits": {"model": "gpt-image-1", "prompt": "draw a mug", "references": (local(),)},
    "ttapi-dalle3": {"model": "dall-e-3", "prompt": "draw a mug", "size": "1024x1024"},
    "ttapi-4o": {"model": "gpt-4o-image", "prompt": "draw a mug"},
}
"""What a job of each adapter needs at least."""
HOSTS = {
    "chat": "https://api.rainboxs.com",
    "gpt-image-2": "https://relay.example",
    "openai-variations": "https://relay.example",
    **dict.fromkeys(TTAPI, "https://api.ttapi.org"),
}


def adapter(identifier: str, catalog: Catalog | None = None) -> Provider:
    return Registry(today=today, catalog=catalog, plugins=()).provider(identifier)


def spec(identifier: str, **fields: Any) -> JobSpec:
    given = {"key": "mug", "account": "studio", "provider": identifier, "prompt": "a mug"}
    return JobSpec(**{**given, **DEFAULTS[identifier], **fields})


def account(identifier: str, **fields: Any) -> AccountSettings:
    given = {"name": "studio", "provider": identifier, "base_url": HOSTS[identifier], "api_key_env": "STUDIO_KEY"}
    return AccountSettings(**{**given, **fields})


def order(identifier: str, *, job: Mapping[str, Any] | None = None, at: Mapping[str, Any] | None = None, **fields: Any) -> Order:
    asked = spec(identifier, **{"references": (), **(job or {})})
    return Order(spec=asked, account=account(identifier, **(at or {})), attempt_id=ATTEMPT, **fields)


def found(identifier: str, severity: Severity, *, at: Mapping[str, Any] | None = None, **fields: Any) -> list[str]:
    """Return what the adapter says of a job, errors or warnings."""
    findings = adapter(identifier).validate(spec(identifier, **fields), account(identifier, **(at or {})))
    return [finding.message for finding in findings if finding.severity is severity]


def errors(identifier: str, **fields: Any) -> list[str]:
    return found(identifier, Severity.ERROR, **fields)


def warnings(identifier: str, **fields: Any) -> list[str]:
    return found(identifier, Severity.WARNING, **fields)

"""TTAPI's adapters, and jobs, accounts and orders for them."""

from collections.abc import Mapping
from typing import Any

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Order, Provider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import Registry

from .making import ATTEMPT, local, today

GATEWAY = "https://api.ttapi.org"
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "ttapi-images": {"model": "gpt-image-1"},
    "ttapi-edits": {"model": "gpt-image-1", "references": (local(),)},
    "ttapi-dalle3": {"model": "dall-e-3", "size": "1024x1024"},
    "ttapi-4o": {"model": "gpt-4o-image"},
}
"""What a job of each adapter needs at least."""
NEWER = {"options": {"submit_path": "/openai/gpt/generations"}}


def adapter(identifier: str, catalog: Catalog | None = None) -> Provider:
    return Registry(today=today, catalog=catalog, plugins=()).provider(identifier)


def spec(identifier: str, **fields: Any) -> JobSpec:
    given = {"key": "mug", "account": "studio", "provider": identifier, "prompt": "draw a mug"}
    return JobSpec(**{**given, **DEFAULTS[identifier], **fields})


def account(identifier: str, **fields: Any) -> AccountSettings:
    given = {"name": "studio", "provider": identifier, "base_url": GATEWAY, "api_key_env": "STUDIO_KEY"}
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

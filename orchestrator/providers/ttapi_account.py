"""What holds for every adapter of TTAPI (providers.md 2): its gateway, how the key travels, and models that OpenAI takes away."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Finding
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.checks import SOON
from orchestrator.providers.hosts import at_home
from orchestrator.transport.messages import Request

BASE_URL = "https://api.ttapi.org"
"""The gateway that TTAPI advises for slow models; the one at `.io` times out behind its CDN (providers.md 2)."""
KEY_VARIABLE = "TTAPI_API_KEY"

_AUTHS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "tt-api-key": ("TT-API-KEY", ""),
        "bearer": ("Authorization", "Bearer "),
    }
)
"""Account option `auth` -> header and what stands before the key; the samples with OpenAI's client need the second."""

AUTH_OPTION: Mapping[str, tuple[Json, ...] | type] = MappingProxyType({"auth": tuple(_AUTHS)})

_UPSTREAM = "openai-images"


def authorised(request: Request, account: AccountSettings) -> Request:
    """Return the request with the key where the account's option `auth` wants it."""
    return replace(request, auth=_AUTHS[str(account.options.get("auth", "tt-api-key"))])


def upstream_findings(spec: JobSpec, account: AccountSettings, catalog: Catalog, today: date) -> Iterator[Finding]:
    """Warn of a model that OpenAI itself has shut down, or will: TTAPI passes requests on to it (providers.md 0.3).

    Only a warning: a relay may sell the old name for another model, and the name must stay usable.
    """
    last = catalog.api(_UPSTREAM).rules(spec.model).retires
    if last is None or last - today > SOON or not at_home(account, catalog.api(spec.provider)):
        return
    happens = "shut down" if last <= today else "will shut down"
    message = f"OpenAI {happens} {spec.model} on {last}; TTAPI may refuse it then, or answer with another model"
    yield Finding(path=("model",), message=message, severity=Severity.WARNING)

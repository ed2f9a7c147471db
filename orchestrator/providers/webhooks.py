"""Which adapters are called back, and at which endpoints."""

from collections.abc import Iterable

from orchestrator.providers.base import Provider, WebhookProvider
from orchestrator.providers.registry import Registry
from orchestrator.providers.signatures import Signing


class Webhooks:
    """Finds the adapters behind calls; `providers` are those of the accounts, families among them."""

    def __init__(self, registry: Registry, providers: Iterable[str]) -> None:
        self._registry = registry
        self._endpoints = {
            adapter.endpoint: (identifier, adapter)
            for provider in providers
            for identifier in _members(registry, provider)
            if (adapter := self.webhooks(identifier)) is not None and adapter.signing is not Signing.NONE
        }

    def webhooks(self, identifier: str) -> WebhookProvider | None:
        """Return the adapter of that id, if its tasks call back."""
        adapter = self._registry.provider(identifier)
        return adapter if isinstance(adapter, WebhookProvider) else None

    def at_endpoint(self, endpoint: str) -> tuple[str, WebhookProvider] | None:
        """Return the id and the adapter whose signed calls come to a project-wide endpoint."""
        return self._endpoints.get(endpoint)


def _members(registry: Registry, provider: str) -> tuple[str, ...]:
    found = registry.get(provider)
    return (found.id,) if isinstance(found, Provider) else found.members

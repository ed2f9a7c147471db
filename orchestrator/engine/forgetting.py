"""Refusals that mean no more than that a provider has lost what it was given earlier: it can be given again, once."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.providers.base import ForgetfulProvider, Provider


def forgotten(provider: Provider, failure: Failure, forgettable: AbstractSet[ErrorCode]) -> Failure | None:
    """Return a refusal under the name of what was lost; None when it means something else, or giving it again cannot help."""
    if not isinstance(provider, ForgetfulProvider):
        return None
    code = provider.forgotten.get(failure.provider_code or "")
    return replace(failure, code=code) if code is not None and code in forgettable else None

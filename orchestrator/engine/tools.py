"""What every service of the engine works with, joined once in `app.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Protocol

from orchestrator.engine.brake import Brake
from orchestrator.engine.budget import Budget
from orchestrator.engine.callback_paths import CallbackPaths
from orchestrator.engine.desk import Desk
from orchestrator.engine.news import News
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.stirring import Stirring
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.secrets import Redactor
from orchestrator.providers.base import Provider
from orchestrator.results import References, Results, Spool
from orchestrator.store.records import Job
from orchestrator.store.rescuing import Rescuing
from orchestrator.store.store import Store
from orchestrator.transport.client import Transport
from orchestrator.transport.files import Files

AT_ONCE = 64
"""Looks, downloads and steps of the ladder that are under way at most, of each kind."""


class Providers(Protocol):
    """Where adapters are found."""

    def provider(self, identifier: str) -> Provider:
        """Return the adapter of that id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The real things, or a test's."""

    clock: Clock
    random: Random
    store: Store
    transitions: Rescuing
    budget: Budget
    transport: Transport
    files: Files
    results: Results
    references: References
    spool: Spool
    providers: Providers
    desks: Mapping[str, Desk]
    news: News
    pulse: Pulse
    stirring: Stirring
    brake: Brake
    out: Path
    redact: Redactor
    callback_paths: CallbackPaths
    """Where providers are told to call."""
    at_once: int = AT_ONCE
    """What of `AT_ONCE` this process has files for."""
    worker: str
    """Who writes the attempts, for the history."""

    def desk(self, job: Job) -> Desk:
        """Return the desk of a job's account."""
        return self.desks[job.account]

    def provider(self, job: Job) -> Provider:
        """Return the adapter of a job."""
        return self.providers.provider(job.spec.provider)

    async def pause(self, desk: Desk, failure: Failure) -> None:
        """Stop an account until the user resumes it; its jobs stay as they are."""
        if desk.paused is None:
            failure = replace(failure, message=self.redact(failure.message))
            desk.paused = failure
            await self.store.pause_account(desk.name, failure)
            self.news.tell("account_paused", account=desk.name, code=failure.code.value, message=failure.message)

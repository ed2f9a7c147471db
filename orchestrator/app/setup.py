"""What every use of the program begins with: options, settings, adapters, and where store and results lie."""

import os
import stat
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from orchestrator.batchfile import Problems
from orchestrator.config import FileSettings, read_settings
from orchestrator.jobs.clock import Clock, SteadyClock, SystemClock
from orchestrator.jobs.places import BadInput, Problem, Severity
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import Registry
from orchestrator.store.loading import Changed
from orchestrator.store.opening import CannotOpen
from orchestrator.store.reading import Batch
from orchestrator.store.store import Store

DEFAULT_DATABASE = "orchestrator.db"
DEFAULT_OUT = "results"


class CannotStart(Exception):
    """The store or the output folder cannot be used (exit code 3)."""


class EngineAtWork(CannotStart):
    """Another process is the engine of the store."""


class NotFound(Exception):
    """A batch or job that the user named is not in the store (exit code 2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says; None where it says nothing."""

    db: str | None = None
    out: str | None = None
    config: Path | None = None
    account: str | None = None
    model: str | None = None
    concurrency: int | None = None
    budget: Decimal | None = None
    """USD that the batch may cost; stored with it."""
    encoding: str | None = None
    limit: int | None = None
    only: str | None = None
    simulate: bool = False
    trust_accounts: bool = False
    changed: Changed = Changed.ERROR
    public_url: str | None = None
    """Where APIs reach this program."""
    listen: str | None = None
    """HOST:PORT of this machine, or `none`."""


class Setup:
    """Options and settings of one call, checked as far as they can be without a batch."""

    def __init__(self, options: Options, clock: Clock | None = None, random: Random | None = None) -> None:
        self.options = options
        self.clock: Clock = SteadyClock(clock or SystemClock())
        self.random = random or Random()  # noqa: S311 - jitter, no secrets
        self.problems = Problems()
        self.settings: FileSettings = read_settings(options.config, self.problems)
        self.registry = Registry(today=self._today, catalog=self._catalog())

    def _catalog(self) -> Catalog | None:
        """Return the catalog with the user's own facts laid over it; what is wrong in those is a problem."""
        if not self.settings.catalog:
            return None
        try:
            return Catalog.builtin().overlay(self.settings.catalog)
        except BadInput as bad:
            for problem in bad.problems:
                self.problems.add(problem.message, self.settings.place)
            return None

    @property
    def warnings(self) -> list[Problem]:
        """What the user should know, though it stops nothing."""
        return self.problems.list

    @property
    def database(self) -> Path:
        """The store's file; a rehearsal has one of its own, so that nobody takes it for the real thing."""
        named = self.options.db or os.environ.get("ORCHESTRATOR_DB") or self.settings.db or DEFAULT_DATABASE
        path = Path(named)
        return path.with_name(f"{path.stem}.simulated.db") if self.options.simulate else path

    @property
    def out(self) -> Path:
        """The output folder."""
        path = Path(self.options.out or self.settings.out or DEFAULT_OUT)
        return path.with_name(f"{path.name}-simulated") if self.options.simulate else path

    async def named(self, store: Store, name: str) -> list[Batch]:
        """Return the batch of that name, as a list of one; raise `NotFound`."""
        batches = await store.batches()
        found = [batch for batch in batches if batch.name == name]
        if not found:
            known = ", ".join(batch.name for batch in batches) or "none yet"
            raise NotFound(f"there is no batch {name} in {self.database}; there are: {known}")
        return found

    def must_exist(self) -> None:
        """Raise `CannotOpen` when there is no store yet."""
        if not self.database.exists():
            raise CannotOpen(f"there is no store at {self.database}; `run FILE` makes one")

    @property
    def spool_folder(self) -> Path:
        """Where raw answers lie until their images are saved: beside the store, private."""
        return self.database.with_name(f"{self.database.stem}.spool")

    @property
    def reference_folder(self) -> Path:
        """Where the copies of the user's images lie that are sent instead of them: beside the store, private."""
        return self.database.with_name(f"{self.database.stem}.references")

    def warn_if_open(self) -> None:
        """Warn of a store that others may read, or whose folder they may write to: who can swap it decides what is paid."""
        folder = self.database.absolute().parent
        if folder.stat().st_mode & stat.S_IWOTH:
            message = f"everybody may write to {folder}, where the store lies; keep the store in a folder of your own"
            self.problems.add(message, severity=Severity.WARNING)
        if self.database.exists() and self.database.stat().st_mode & 0o077:
            message = f"others may open the store {self.database}; make it private: chmod 600"
            self.problems.add(message, severity=Severity.WARNING)

    def _today(self) -> date:
        return datetime.fromtimestamp(self.clock.now(), UTC).date()


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, unless it is there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)

"""Batch files: read, checked whole, and put into the store; nothing is sent here."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.app.beside import Beside
from orchestrator.batchfile import BatchFile, open_batch
from orchestrator.config import Accounts, Overrides, keys_of
from orchestrator.engine.intake import Intake, Surroundings, Totals
from orchestrator.engine.news import Listener, News
from orchestrator.engine.pictures import Pictures
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import BadInput, Problem
from orchestrator.jobs.secrets import Redactor
from orchestrator.providers import advice
from orchestrator.providers.hints import closest, did_you_mean
from orchestrator.results import DecodePool, References, inspect
from orchestrator.store.accounts import AccountInUse
from orchestrator.store.loading import BatchBudget, Loaded
from orchestrator.store.store import Store

Listeners = Sequence[Listener]


class Batches(Beside):
    """Takes batch files in."""

    async def validate(self, file: Path) -> Totals:
        """Check a batch file and send nothing; raise `BadInput`."""
        batch, accounts = self._read(file)
        async with DecodePool() as pool:
            with TemporaryDirectory() as folder:  # what is only checked leaves nothing behind
                return await self._intake(batch, accounts, pool, Path(folder)).check()

    def _read(self, file: Path) -> tuple[BatchFile, dict[str, AccountSettings]]:
        _ = self.outside, self.courier  # what is wrong with them is told with everything else
        batch = open_batch(file, self.problems, self.options.encoding)
        trusted = self.options.trust_accounts or self.options.simulate  # a rehearsal sends no key anywhere
        overrides = Overrides(concurrency=self.options.concurrency, trust_accounts=trusted)
        accounts = Accounts(self.registry, self.settings, overrides, self.problems).of(batch.header)
        return batch, accounts

    def _intake(
        self,
        batch: BatchFile,
        accounts: Mapping[str, AccountSettings],
        pool: DecodePool,
        copies: Path,
        *,
        advises: bool = True,
    ) -> Intake:
        """Return what reads a batch file; `advises` says whether its user asked for advice rather than for a run."""
        hints = self._hints(batch)
        defaults = {**self.settings.defaults, **batch.header.defaults}
        surroundings = Surroundings(
            accounts=accounts,
            default_account=self.options.account or _text(defaults.get("account")),
            default_model=self.options.model or _text(defaults.get("model")),
            has_budget=self._budget(batch).amount is not None,
            replaced_account=_text(batch.header.defaults.get("account")) if self.options.account else None,
            rehearsal=self.options.simulate,
            registry=self.registry,
            hints=hints if advises else frozenset(),
            pictures=Pictures(partial(inspect, pool), References(copies, pool)),
        )
        return Intake(batch, surroundings, self.problems)

    def _hints(self, batch: BatchFile) -> frozenset[str]:
        """Return the hints that neither the batch file nor the settings silence; an unknown name there is a problem."""
        of_settings = dict.fromkeys(self.settings.silence, self.settings.place)
        for name, place in {**of_settings, **batch.header.silence}.items():
            if name not in advice.NAMES:
                suggestion = did_you_mean(closest(name, advice.NAMES))
                self.problems.add(f"silence must name hints, {', '.join(advice.NAMES)}; got {name}{suggestion}", place)
        return frozenset(advice.NAMES.keys() - of_settings.keys() - batch.header.silence.keys())

    async def _load(
        self, store: Store, pool: DecodePool, batch: BatchFile, accounts: Mapping[str, AccountSettings], file: Path
    ) -> Loaded:
        def check_keys(used: list[AccountSettings]) -> None:
            keys_of({account.name: account for account in used}, self.problems)

        intake = self._intake(batch, accounts, pool, self.reference_folder, advises=False)
        budget = self._budget(batch)
        try:
            return await intake.load(store.loading(), self.options.changed, str(file), budget, check_keys)
        except AccountInUse as error:
            raise BadInput([Problem(message=str(error))]) from error

    def _budget(self, batch: BatchFile) -> BatchBudget:
        """Return what the batch may cost: the flag wins over the file, the file over the settings."""
        if self.options.budget is not None:
            return BatchBudget(amount=self.options.budget, lasts=True)
        return BatchBudget(amount=batch.header.budget if batch.header.budget is not None else self.settings.budget)

    def _report(self, loaded: Loaded, listeners: Listeners) -> None:
        news = News(self.clock, Redactor(), *listeners)
        news.tell(
            "batch_stored",
            added=loaded.added,
            known=loaded.known,
            gone=loaded.gone,
            kept=list(loaded.kept),
            replaced=list(loaded.replaced),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

"""From the rows of a batch file to stored jobs: every row is checked against its adapter before anything is stored or sent.

Problems come back with their places, all at once; rows are passed on in chunks, so that the file's size does not matter.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.batchfile import BatchFile, Problems, Row
from orchestrator.engine.family import FamilyTree, no_way
from orchestrator.engine.pictures import Pictures
from orchestrator.engine.remarks import Remarks
from orchestrator.engine.row_images import RowImages
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.keys import default_key, fingerprint
from orchestrator.jobs.places import Places
from orchestrator.jobs.spec import JobDraft, JobSpec, ParentImage, Reference, RemoteImage
from orchestrator.providers.base import Inputs, Provider
from orchestrator.providers.registry import Registry, UnknownProvider
from orchestrator.store.loading import BatchBudget, Changed, ChangedSpecs, Loaded, Loading, NewJob

CHUNK = 400
"""Rows per transaction of the waiting room; small, so that the event loop is never away for long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """What a batch file asks for."""

    jobs: int = 0
    images: int = 0
    likely: Decimal = Decimal(0)
    """USD, of the jobs whose price is known."""
    worst: Decimal = Decimal(0)
    unpriced: int = 0
    """Jobs whose price is unknown."""

    def plus(self, job: NewJob) -> "Totals":
        """Return the totals with one more job."""
        return Totals(
            jobs=self.jobs + 1,
            images=self.images + job.spec.n,
            likely=self.likely + (job.cost_likely or 0),
            worst=self.worst + (job.cost_worst or 0),
            unpriced=self.unpriced + (job.cost_worst is None),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What rows are checked against."""

    accounts: Mapping[str, AccountSettings]
    default_account: str | None
    """For jobs that name none."""
    default_model: str | None
    replaced_account: str | None
    """The file's own default account, when the command line replaces it."""
    has_budget: bool
    """Whether the batch has a budget: then no price may be unknown."""
    rehearsal: bool
    """Rows are checked against their real accounts, and stored for the simulator."""
    registry: Registry
    pictures: Pictures
    hints: frozenset[str] = frozenset()
    """Names of the hints that are given: none where a run is begun, which asks for no advice."""


class Intake:
    """Reads one batch file."""

    def __init__(self, batch: BatchFile, surroundings: Surroundings, problems: Problems) -> None:
        self._batch, self._around, self._problems = batch, surroundings, problems
        self._images = RowImages(surroundings.pictures, problems)
        self._family = FamilyTree()
        self._remarks = Remarks(surroundings.registry.catalog, surroundings.hints, problems)
        self._used: dict[str, AccountSettings] = {}
        self._unpriced: set[tuple[str, str]] = set()
        self.totals = Totals()

    @property
    def used(self) -> list[AccountSettings]:
        """The accounts that the rows read so far are for, as they are to be stored."""
        used = self._used.values()
        return [replace(account, base_url=SIMULATOR) for account in used] if self._around.rehearsal else list(used)

    async def check(self) -> Totals:
        """Check every row and store nothing; raise `BadInput` with every problem."""
        async for _ in self.checked():
            pass
        return self.totals

    async def checked(self) -> AsyncIterator[NewJob]:
        """Yield the rows as jobs, store nothing; raise `BadInput` with every problem at the end."""
        async for job in self._jobs():
            yield job
        self._problems.raise_if_any()

    async def load(
        self,
        loading: Loading,
        changed: Changed,
        source: str,
        budget: BatchBudget,
        before_storing: Callable[[list[AccountSettings]], None],
    ) -> Loaded:
        """Check every row and store the batch with one switch at the end; raise `BadInput`, and then nothing was stored.

        `before_storing` gets the accounts that the rows are for, and may add problems.
        """
        await loading.begin()
        try:
            async for chunk in self._chunks():
                await loading.add(chunk)
            before_storing(self.used)
            self._problems.raise_if_any()
            header = self._batch.header
            return await loading.switch(header.name, source, self.used, changed, budget, weight=header.weight)
        except ChangedSpecs as error:
            for _, key in error.keys:
                self._problems.add(f"{key} asks for something else than when the batch was stored; {error.reason}")
            self._problems.raise_if_any()
            raise
        finally:
            await loading.discard()

    async def _chunks(self) -> AsyncIterator[list[NewJob]]:
        chunk: list[NewJob] = []
        async for job in self._jobs():
            chunk.append(job)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def _jobs(self) -> AsyncIterator[NewJob]:
        """Yield the rows as jobs; once there is an error the rest is only checked."""
        for row in self._batch.rows():
            job = await self._job(row)
            if job is not None and not self._problems.errors:
                yield job
        self._family.check(self._problems)

    async def _job(self, row: Row) -> NewJob | None:
        draft, places = row.draft, row.places
        settings = self._account(draft, places)
        model = draft.model or self._around.default_model
        if model is None:
            self._problems.add("model is missing; say which, on the job, in defaults or with --model", places.of(("model",)))
        references, mask = await self._images.of(draft, places)
        if settings is None or model is None:
            return None
        spec = _spec(draft, settings, model, references, mask)
        provider = self._provider(settings, spec, places)
        if provider is not None and spec.continues is not None and not provider.capabilities.conversation:
            # Where an API has no conversations, going on with a job means editing its image.
            spec = replace(spec, references=(ParentImage(job=spec.continues), *spec.references))
            provider = self._provider(settings, spec, places)
        if provider is None:
            return None
        spec = await self._images.fitted(replace(spec, provider=provider.id), provider, settings, places)
        self._check(provider, spec.request, settings, places)
        spec = spec.named(self._key(draft, spec, places))
        self._family.add(spec, draft, places)
        estimate = provider.estimate(spec.request, settings).times(spec.requests)
        if estimate.worst is None:
            self._check_price(spec, settings, places)
        self._used[settings.name] = settings
        job = NewJob(
            position=row.number,
            spec=spec,
            fingerprint=fingerprint(spec),
            cost_likely=estimate.likely,
            cost_worst=estimate.worst,
        )
        self.totals = self.totals.plus(job)
        return job

    def _account(self, draft: JobDraft, places: Places) -> AccountSettings | None:
        written = draft.account if draft.account != self._around.replaced_account else None
        name = written or self._around.default_account
        if name is None:
            self._problems.add(
                "account is missing; say which, on the job, in defaults or with --account", places.of(("account",))
            )
            return None
        found = self._around.accounts.get(name)
        if found is None:
            known = ", ".join(sorted(self._around.accounts))
            self._problems.add(f"account must be one of {known}; got {name}", places.of(("account",)))
        return found

    def _provider(self, settings: AccountSettings, spec: JobSpec, places: Places) -> Provider | None:
        try:
            return self._around.registry.route(settings.provider, spec)
        except UnknownProvider as error:
            self._problems.add(str(error), places.of(("endpoint",)))
            return None

    def _check(self, provider: Provider, spec: JobSpec, settings: AccountSettings, places: Places) -> None:
        self._remarks.make(provider, spec, settings, places)
        if settings.ipm is not None and spec.n > settings.ipm:
            limit = f"at most {settings.ipm}, the images per minute (ipm) of account {settings.name}"
            self._problems.add(f"n must be {limit}; got {spec.n}; fan_out asks for each image by itself", places.of(("n",)))
        if provider.capabilities.inputs_for(settings.options) not in (Inputs.URL_ONLY, Inputs.SERVED):
            return
        if spec.parents:
            message = no_way(spec, provider, self._around.registry.neighbours(settings.provider), settings.options)
            self._problems.add(message, places.of(("continues",) if spec.continues else ("references",)))
        if settings.black_white_masks and isinstance(spec.mask, RemoteImage):
            message = "mask must be a file: black_white_masks of its account cannot change what the API itself fetches from a URL"
            self._problems.add(message, places.of(("mask",)))

    def _check_price(self, spec: JobSpec, settings: AccountSettings, places: Places) -> None:
        """Refuse a job whose price a budget would have to know; once for each model of an account."""
        per_day = settings.budget_per_day is not None
        if not (self._around.has_budget or per_day) or (settings.name, spec.model) in self._unpriced:
            return
        self._unpriced.add((settings.name, spec.model))
        budget = "budget" if self._around.has_budget else "budget_per_day"
        message = f"the price of {spec.model} on account {settings.name} is not known, and {budget} cannot be kept without it"
        self._problems.add(f"{message}; say it in prices of the account", places.of(("model",)))

    def _key(self, draft: JobDraft, spec: JobSpec, places: Places) -> str:
        """Return the job's key; equal rows without an id get `-2`, `-3`, so that each is an image of its own."""
        if draft.key is not None:
            if not self._family.take(draft.key, spec.n):
                self._problems.add(f"id {draft.key} is already the key of an earlier job", places.of(("id",)))
            return draft.key
        base = key = default_key(spec)
        number = 1
        while not self._family.take(key, spec.n):
            number += 1
            key = f"{base}-{number}"
        return key


def _spec(draft: JobDraft, settings: AccountSettings, model: str, references: list[Reference], mask: Reference | None) -> JobSpec:
    return JobSpec(
        key=draft.key or "",
        account=settings.name,
        provider=settings.provider,
        model=model,
        prompt=draft.prompt,
        endpoint=draft.endpoint,
        size=draft.size,
        n=draft.n if draft.n is not None else 1,
        params={**settings.params, **draft.params},
        extra=draft.extra,
        references=tuple(references),
        mask=mask,
        continues=draft.continues,
        fan_out=draft.fan_out,
        meta=draft.meta,
        priority=draft.priority,
    )

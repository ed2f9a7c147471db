"""From the rows of a batch file to stored jobs: every row is checked against its adapter before anything is stored or sent.

Problems come back with their places, all at once; rows are passed on in chunks, so that the file's size does not matter.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

from orchestrator.batchfile import BatchFile, Problems, Row
from orchestrator.engine.pictures import BadPicture, Pictures
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.keys import default_key, fingerprint
from orchestrator.jobs.places import FieldPath, Places, Severity
from orchestrator.jobs.spec import JobDraft, JobSpec, Reference, RemoteImage
from orchestrator.providers.base import Estimate, Provider
from orchestrator.providers.registry import Registry, UnknownProvider
from orchestrator.store.loading import Changed, ChangedSpecs, Loaded, Loading, NewJob

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

    def plus(self, spec: JobSpec, estimate: Estimate) -> "Totals":
        """Return the totals with one more job."""
        return Totals(
            jobs=self.jobs + 1,
            images=self.images + spec.n,
            likely=self.likely + (estimate.likely or 0),
            worst=self.worst + (estimate.worst or 0),
            unpriced=self.unpriced + (estimate.worst is None),
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
    rehearsal: bool
    """Rows are checked against their real accounts, and stored for the simulator."""
    registry: Registry
    pictures: Pictures


class Intake:
    """Reads one batch file."""

    def __init__(self, batch: BatchFile, surroundings: Surroundings, problems: Problems) -> None:
        self._batch, self._around, self._problems = batch, surroundings, problems
        self._taken: set[bytes] = set()
        self._used: dict[str, AccountSettings] = {}
        self.totals = Totals()

    @property
    def used(self) -> list[AccountSettings]:
        """The accounts that the rows read so far are for, as they are to be stored."""
        used = self._used.values()
        return [replace(account, base_url=SIMULATOR) for account in used] if self._around.rehearsal else list(used)

    async def check(self) -> Totals:
        """Check every row and store nothing; raise `BadInput` with every problem."""
        async for _ in self._jobs():
            pass
        self._problems.raise_if_any()
        return self.totals

    async def load(
        self, loading: Loading, changed: Changed, source: str, before_storing: Callable[[list[AccountSettings]], None]
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
            return await loading.switch(self._batch.header.name, source, self.used, changed)
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

    async def _job(self, row: Row) -> NewJob | None:
        draft, places = row.draft, row.places
        settings = self._account(draft, places)
        model = draft.model or self._around.default_model
        if model is None:
            self._problems.add("model is missing; say which, on the job, in defaults or with --model", places.of(("model",)))
        references = [await self._picture(text, ("references", i), places) for i, text in enumerate(draft.references)]
        mask = await self._picture(draft.mask, ("mask",), places) if draft.mask is not None else None
        if settings is None or model is None:
            return None
        spec = _spec(draft, settings, model, [found for found in references if found is not None], mask)
        provider = self._provider(settings, spec, places)
        if provider is None:
            return None
        spec = replace(spec, provider=provider.id)
        self._check(provider, spec, settings, places)
        spec = spec.named(self._key(draft, spec, places))
        estimate = provider.estimate(spec, settings)
        self._used[settings.name] = settings
        self.totals = self.totals.plus(spec, estimate)
        return NewJob(
            position=row.number,
            spec=spec,
            fingerprint=fingerprint(spec),
            cost_likely=estimate.likely,
            cost_worst=estimate.worst,
        )

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
        for finding in provider.validate(spec, settings):
            self._problems.add(finding.message, places.of(finding.path), finding.severity)
        for name in spec.extra:
            message = f"extra.{name} is sent as it is, unchecked"
            self._problems.add(message, places.of(("extra", name)), Severity.WARNING)

    async def _picture(self, text: str, path: FieldPath, places: Places) -> Reference | None:
        if text.lower().startswith(("http://", "https://")):
            return RemoteImage(url=text)
        try:
            return await self._around.pictures.look(Path(text))
        except BadPicture as error:
            self._problems.add(str(error), places.of(path))
            return None

    def _key(self, draft: JobDraft, spec: JobSpec, places: Places) -> str:
        """Return the job's key; equal rows without an id get `-2`, `-3`, so that each is an image of its own."""
        if draft.key is not None:
            if not self._take(draft.key):
                self._problems.add(f"id {draft.key} is already the key of an earlier job", places.of(("id",)))
            return draft.key
        base = key = default_key(spec)
        number = 1
        while not self._take(key):
            number += 1
            key = f"{base}-{number}"
        return key

    def _take(self, key: str) -> bool:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._taken:
            return False
        self._taken.add(digest)
        return True


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
        meta=draft.meta,
        priority=draft.priority,
    )

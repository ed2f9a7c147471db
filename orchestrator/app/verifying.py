"""Books that balance: an audit of store and results, beside whatever is at work, and a repair, alone and without any order."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from orchestrator.app.assembly import Pauses, assemble
from orchestrator.app.looking import Looking
from orchestrator.app.running import Running
from orchestrator.app.setup import CannotStart
from orchestrator.engine.board import Board
from orchestrator.engine.findings import Finding, Kind
from orchestrator.engine.homecoming import Homecoming
from orchestrator.engine.queue import Scope
from orchestrator.engine.receipts import receipts
from orchestrator.engine.repair import REPAIRABLE, Mended, Repairer
from orchestrator.engine.tools import Tools
from orchestrator.engine.verifying import Surroundings, Verifier, of_the_store
from orchestrator.manifest import write_manifest
from orchestrator.results import ForeignFolder
from orchestrator.results.shelf import Shelf
from orchestrator.store.door import Unavailable
from orchestrator.store.lock import in_use
from orchestrator.store.reading import Batch
from orchestrator.store.repairs import Repairs
from orchestrator.store.store import Store

_TOGETHER = 64
"""Findings that are repaired at a time."""

Progress = Callable[[str, int], None]
"""Hears now and then how many jobs of a batch were looked at."""


@dataclass(kw_only=True, slots=True)
class Verified:
    """What an audit or a repair has looked at, and what came of what it found."""

    batches: int = 0
    jobs: int = 0
    files: int = 0
    bytes: int = 0
    mended: int = 0
    left: int = 0
    """Findings that stand."""
    beside_engine: bool = False
    """Whether an engine was at work, so that files it had not finished were passed over."""

    def add(self, verifier: Verifier) -> None:
        """Count what was looked at in one batch."""
        self.batches += 1
        self.jobs += verifier.jobs
        self.files += verifier.files
        self.bytes += verifier.bytes


class Ear:
    """Hears what becomes of each finding, and counts."""

    def __init__(self, hear: Callable[[Mended], None], progress: Progress) -> None:
        self._hear, self.progress = hear, progress
        self.total = Verified()

    def found(self, finding: Finding) -> None:
        """Pass on a finding that stands."""
        self.mended(Mended(finding=finding, done=False, message=finding.message))

    def mended(self, mended: Mended) -> None:
        """Pass on what became of a finding."""
        self.total.mended += mended.done
        self.total.left += not mended.done
        self._hear(mended)


class Verifying(Running, Looking):
    """Audits and repairs."""

    async def verify(self, name: str | None, ear: Ear) -> Verified:
        """Check one batch, or all, and change nothing; raise `NotFound`, or `CannotStart` for a folder of another store."""
        ear.total.beside_engine = in_use(self.database)
        async with self.store() as store, AsyncExitStack() as stack:
            batches = await self._meant(store, name)
            try:
                if await self._is_sound(store, ear):
                    for batch in batches:
                        await self._verify(store, batch, self._shelf(stack, batch), ear)
            except Unavailable as error:
                ear.found(Finding(kind=Kind.DAMAGED_STORE, message=f"the store cannot be read on: {error}"))
        return ear.total

    async def repair(self, name: str | None, ear: Ear) -> Verified:
        """Put right what can be without paying, and tell the rest; raise also `CannotStart` while an engine is at work."""
        self.problems.raise_if_any()
        async with self._engine(must_exist=True, takes_batches=False) as (store, pool), AsyncExitStack() as stack:
            batches = await self._meant(store, name)
            if await self._is_sound(store, ear):
                await self._refresh_accounts(store)
                ours = [batch for batch in batches if self._is_ours(store, batch)]
                scope = Scope(batches=[batch.id for batch in batches])
                tools = await assemble(self, stack, store, pool, scope, Board(self.clock), [], pauses=Pauses.IGNORED)
                self._claim_folders(tools, batches)
                for batch in batches:
                    await self._repair(tools, batch, ear, may_lose=batch in ours)
        return ear.total

    async def _meant(self, store: Store, name: str | None) -> list[Batch]:
        return await self.named(store, name) if name else await store.batches()

    async def _is_sound(self, store: Store, ear: Ear) -> bool:
        """Check the store as a whole; say whether there is sense in reading on."""
        sound = True
        async for finding in of_the_store(store.books()):
            ear.found(finding)
            sound = sound and finding.kind is not Kind.DAMAGED_STORE
        return sound

    async def _verify(self, store: Store, batch: Batch, shelf: Shelf | None, ear: Ear) -> None:
        verifier = self._verifier(store, batch, shelf, ear)
        try:
            async for finding in verifier.rows_and_files():
                ear.found(finding)
            async for finding in verifier.folder():
                ear.found(finding)
        except ForeignFolder as error:
            raise CannotStart(str(error)) from error
        ear.total.add(verifier)

    async def _repair(self, tools: Tools, batch: Batch, ear: Ear, *, may_lose: bool) -> None:
        """Files first: the sweep that brings the rest home may find no use for an answer any more that a file still needs."""
        with Shelf(self.out, batch.name) as shelf:
            verifier = self._verifier(tools.store, batch, shelf, ear)
            await self._mend_files(tools, verifier, shelf, ear, may_lose=may_lose)
            await Homecoming(tools, [batch.id]).run()
            async for finding in verifier.folder():
                ear.found(finding)
        ear.total.add(verifier)
        await write_manifest(receipts(tools.store.stories(batch.id)), shelf.path / "manifest.jsonl")

    async def _mend_files(self, tools: Tools, verifier: Verifier, shelf: Shelf, ear: Ear, *, may_lose: bool) -> None:
        repairs = Repairs(tools.store.door, self.clock, tools.redact)
        repairer = Repairer(tools, tools.store.books(), repairs, may_lose=may_lose)
        waiting: list[Finding] = []
        async for finding in verifier.rows_and_files():
            if finding.kind not in REPAIRABLE:
                ear.found(finding)
                continue
            if len(waiting) >= _TOGETHER and not _same_job(waiting[-1], finding):
                await _mend(repairer, waiting, shelf, ear)
                waiting = []
            waiting.append(finding)
        await _mend(repairer, waiting, shelf, ear)

    def _verifier(self, store: Store, batch: Batch, shelf: Shelf | None, ear: Ear) -> Verifier:
        around = Surroundings(
            is_at_work=lambda: in_use(self.database), progress=lambda jobs: ear.progress(batch.name, ear.total.jobs + jobs)
        )
        return Verifier(store, shelf, batch, around)

    def _shelf(self, stack: AsyncExitStack, batch: Batch) -> Shelf | None:
        try:
            return stack.enter_context(Shelf(self.out, batch.name))
        except FileNotFoundError:
            return None
        except ForeignFolder as error:
            raise CannotStart(str(error)) from error

    def _is_ours(self, store: Store, batch: Batch) -> bool:
        """Say whether the batch's folder is there and known to be this store's: only then is a file that is not there gone."""
        try:
            with Shelf(self.out, batch.name) as shelf:
                return shelf.belongs_to(store.id)
        except FileNotFoundError:
            return False
        except ForeignFolder as error:
            raise CannotStart(str(error)) from error


def _same_job(one: Finding, other: Finding) -> bool:
    return one.image is not None and other.image is not None and one.image.job_id == other.image.job_id


async def _mend(repairer: Repairer, findings: Sequence[Finding], shelf: Shelf, ear: Ear) -> None:
    for mended in await repairer.mend(findings, shelf):
        ear.mended(mended)

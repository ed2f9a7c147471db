"""Takes batches into a run that is at work, when another process asks for it: one engine, many terminals."""

from orchestrator.engine.queue import Scope
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import SIMULATOR
from orchestrator.results import ForeignFolder
from orchestrator.store.accounts import AccountRow
from orchestrator.store.reading import Batch


class Guests:
    """Decides on invitations; `scope` grows by what is taken."""

    def __init__(self, tools: Tools, scope: Scope) -> None:
        self._tools, self._scope = tools, scope

    async def begin(self) -> None:
        """Forget what an earlier engine was asked."""
        await self._tools.store.invitations.forget()

    async def look(self) -> list[int]:
        """Answer whoever waits; return the batches that are to be worked on from now on, also those that were before."""
        waiting = await self._tools.store.invitations.waiting()
        if not waiting:
            return []
        taken = []
        for batch in [each for each in await self._tools.store.batches() if each.id in waiting]:
            why = None if batch.id in self._scope.batches else await self._reason_against(batch)
            if why is None:
                await self._take(batch)
                taken.append(batch.id)
            else:
                await self._tools.store.invitations.decline(batch.id, why)
        return taken

    async def _reason_against(self, batch: Batch) -> str | None:
        if self._scope.only is not None or self._scope.limit is not None:
            return "it was begun for a part of its jobs, with --only or --limit"
        used, rows = await self._tools.store.accounts_of([batch.id]), await self._tools.store.accounts()
        strange = sorted(name for name in used if not self._knows(rows[name]))
        if strange:
            return f"it was begun without account {strange[0]}, or with another address for it"
        folder = self._tools.results.folder(batch.name)
        try:
            folder.claim(self._tools.store.id, now=self._tools.clock.now())
            folder.remove_stale()
        except (ForeignFolder, OSError) as error:
            return f"the output folder cannot be used: {error}"
        return None

    def _knows(self, row: AccountRow) -> bool:
        desk = self._tools.desks.get(row.settings.name)
        if desk is None or desk.settings.provider != row.settings.provider:
            return False
        return row.settings.base_url in (SIMULATOR, desk.settings.base_url)

    async def _take(self, batch: Batch) -> None:
        if batch.id not in self._scope.batches:
            self._scope.batches.append(batch.id)
            self._scope.weights[batch.id] = batch.weight
            if batch.budget is not None:
                self._tools.budget.keep_within(batch.id)
        await self._tools.store.invitations.take(batch.id)
        self._tools.news.tell("batch_taken_in", taken=batch.name)

"""What only looks, or writes down the user's word: beside an engine that may be at work."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.app.setup import CannotStart, NotFound, Setup
from orchestrator.engine.receipts import receipt, receipts
from orchestrator.manifest import Form, export
from orchestrator.manifest.shape import json_of
from orchestrator.store.door import Damaged, Unavailable
from orchestrator.store.opening import CannotOpen, damage
from orchestrator.store.operators import Chosen, Selection
from orchestrator.store.reading import Batch, Overview
from orchestrator.store.spending import Spending
from orchestrator.store.store import Store
from orchestrator.store.stories import Story

Action = Callable[[Store, Selection], Awaitable[list[Chosen]]]
"""The user's word on a selection of jobs, e.g. `lambda store, jobs: store.operators.retry(jobs)`."""


class Looking(Setup):
    """Reads the store, exports it, and carries out the user's word on its jobs."""

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Open the store beside an engine that may be at work on it."""
        self.problems.raise_if_any()
        try:
            self.must_exist()
            async with Store.open(self.database, self.clock) as store:
                yield store
        except CannotOpen as error:
            raise CannotStart(str(error)) from error
        except Damaged as error:
            raise CannotStart(damage(self.database, str(error))) from error
        except Unavailable as error:
            raise CannotStart(f"the store {self.database} cannot be used: {error}") from error

    async def batch(self, store: Store, name: str | None) -> Batch:
        """Return the batch of that name, or the only one; raise `NotFound`."""
        if name is not None:
            return (await self.named(store, name))[0]
        batches = await store.batches()
        if len(batches) != 1:
            names = ", ".join(batch.name for batch in batches) or "none"
            raise NotFound(f"say which batch; {self.database} has: {names}")
        return batches[0]

    async def export(self, name: str | None, form: Form, target: Path | str, *, show: Callable[[str], str] = str) -> int:
        """Write a manifest, `show` done to CSV on a terminal; return its number of jobs; raise `NotFound` or `CannotStart`."""
        async with self.store() as store:
            batch = await self.batch(store, name)
            names = await store.meta_names(batch.id) if form is Form.CSV else []
            return await export(receipts(store.stories(batch.id)), names, form, target, show=show)

    async def overviews(self, name: str | None) -> list[Overview]:
        """Return the figures of one batch, or of all."""
        async with self.store() as store:
            batches = await self.named(store, name) if name else await store.batches()
            return [await store.overview(batch) for batch in batches]

    async def paused_accounts(self) -> dict[str, str]:
        """Return the accounts that were paused, and why."""
        async with self.store() as store:
            return {name: row.pause_message or "" for name, row in (await store.accounts()).items() if row.paused_at is not None}

    async def money_of_today(self) -> list[Spending]:
        """Return what the accounts with a budget per day have spent in this UTC day."""
        async with self.store() as store:
            return await store.money_of_today()

    async def jobs(self, selection: Selection, limit: int) -> list[dict[str, Any]]:
        """Return jobs as flat rows, in file order."""
        async with self.store() as store:
            return await store.list_jobs(selection, limit)

    async def story(self, key: str, batch: str | None) -> tuple[Story, dict[str, Any]]:
        """Return one job's whole history, and its manifest row as data; raise `NotFound`."""
        async with self.store() as store:
            chosen = await self._selection(store, batch, (key,))
            rows = await store.list_jobs(chosen, 2)
            exact = [row for row in rows if row["key"] == key] or rows
            if not exact:
                raise NotFound(f"there is no job {key} in {self.database}")
            if len(exact) > 1 and exact[0]["batch"] != exact[1]["batch"]:
                raise NotFound(f"several batches have a job {key}; say which with --batch")
            story = await store.story(int(str(exact[0]["id"])))
            return story, json_of(receipt(story))

    async def act(self, action: Action, batch: str | None, keys: Sequence[str], **narrowing: Any) -> list[Chosen]:  # noqa: ANN401
        """Carry out the user's word on some jobs and return which they were."""
        async with self.store() as store:
            selection = replace(await self._selection(store, batch, keys), **narrowing)
            return await action(store, selection)

    async def _selection(self, store: Store, batch: str | None, keys: Sequence[str]) -> Selection:
        batch_id = (await self.named(store, batch))[0].id if batch else None
        return Selection(batch_id=batch_id, keys=tuple(keys) or None)

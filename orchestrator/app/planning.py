"""What would be sent, and what it would cost; nothing is stored or sent."""

from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.app.looking import Looking
from orchestrator.app.running import Running
from orchestrator.batchfile import BatchFile
from orchestrator.engine.planning import Account, Plan, Planner
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.lessons import Lessons
from orchestrator.providers.base import Shape
from orchestrator.results import DecodePool
from orchestrator.store.loading import BatchBudget
from orchestrator.store.reading import KnownJob
from orchestrator.store.spending import Spending


class Planning(Running, Looking):
    """Plans the run of a batch file."""

    async def plan(self, file: Path) -> Plan:
        """Check a batch file and hold it against what is stored already; raise `BadInput` or `CannotStart`."""
        batch, accounts = self._read(file)
        self.problems.raise_if_any()
        known, money, days = await self._stored(batch)
        planner = Planner(known)
        async with AsyncExitStack() as stack:
            copies = Path(stack.enter_context(TemporaryDirectory()))  # what is only planned leaves nothing behind
            intake = self._intake(batch, accounts, await stack.enter_async_context(DecodePool()), copies)
            async for job in intake.checked():
                planner.take(job)
        return planner.plan(money, _days(intake.used, days), await self._accounts(intake.used))

    async def _accounts(self, used: list[AccountSettings]) -> list[Account]:
        """Return the accounts with what earlier runs have learned of them."""
        rows = {}
        if self.database.exists():
            async with self.store() as store:
                rows = await store.accounts()
        return [
            Account(
                settings=account,
                lessons=Lessons.of(rows[account.name].learned if account.name in rows else None),
                has_tasks=self.registry.shape(account.provider, account.options) is Shape.TASK,
            )
            for account in used
        ]

    async def _stored(self, batch: BatchFile) -> tuple[dict[str, KnownJob], Spending, list[Spending]]:
        """Return the jobs that are stored, the money of the batch, and that of the accounts today."""
        name, said = batch.header.name, self._budget(batch)
        unspent = Spending(name=name, budget=said.amount, spent=Decimal(0), reserved=Decimal(0))
        if not self.database.exists():
            return {}, unspent, []
        async with self.store() as store:
            days = await store.money_of_today()
            found = [stored for stored in await store.batches() if stored.name == name]
            if not found:
                return {}, unspent, days
            (money,) = await store.money_of([found[0].id])
            lasting = BatchBudget(amount=money.budget, lasts=found[0].budget_lasts)
            return await store.known_jobs(found[0].id), replace(money, budget=lasting.replaced_by(said).amount), days


def _days(used: list[AccountSettings], stored: list[Spending]) -> list[Spending]:
    """Return the money of today of each account with a budget per day, as it is set now."""
    spent = {money.name: money for money in stored}
    unspent = Spending(name="", budget=None, spent=Decimal(0), reserved=Decimal(0))
    return [
        replace(spent.get(account.name, unspent), name=account.name, budget=account.budget_per_day)
        for account in used
        if account.budget_per_day is not None
    ]

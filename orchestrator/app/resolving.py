"""The user's word on jobs that went wrong or are in doubt: never before what lies paid on the disk has been read."""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.app.assembly import at_work
from orchestrator.app.looking import Action, Looking
from orchestrator.config import keys_of
from orchestrator.engine.delivering import accepted_of, delivery_of
from orchestrator.engine.paid_answers import read_spooled
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.attempts import AttemptState
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.secrets import Redactor
from orchestrator.providers.base import LookupProvider, Provider, TaskProvider
from orchestrator.results import Spool
from orchestrator.store.door import Stale
from orchestrator.store.operators import USER, Chosen, Selection
from orchestrator.store.records import Job
from orchestrator.store.store import Store
from orchestrator.transport.client import Transport
from orchestrator.transport.messages import Answer, Unanswered, Unreadable, Unsent


class CannotResolve(Exception):
    """What the user says of a job cannot be, or cannot be seen to be; nothing was changed (exit code 2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What came of the user's word."""

    acted: tuple[Chosen, ...]
    """The jobs as they were before."""
    answered: tuple[str, ...] = ()
    """Keys of jobs that were left alone: their paid answer lay on the disk, and `resume` makes images of it."""


class Resolving(Looking):
    """Carries out the user's word on uncertain jobs and failed ones."""

    async def retry(self, batch: str | None, keys: Sequence[str], **narrowing: Any) -> Resolved:  # noqa: ANN401
        """Put failed, expired or cancelled jobs back in line, but for those whose paid answer waits on the disk."""
        return await self._settle(lambda store, jobs: store.operators.retry(jobs), batch, keys, **narrowing)

    async def resolve(self, action: Action, batch: str | None, keys: Sequence[str], code: str | None) -> Resolved:
        """Carry out the user's word on uncertain jobs, and on those that are named whose paid result is out of reach."""
        states = (State.UNCERTAIN, State.READY) if keys or code else (State.UNCERTAIN,)
        return await self._settle(action, batch, keys, states=states, code=code)

    async def adopt(self, task: str, batch: str | None, keys: Sequence[str]) -> Resolved:
        """Give the one job that is meant its task, once its provider has shown it; raise `CannotResolve` or `BadInput`."""

        async def act(store: Store, jobs: Selection) -> list[Chosen]:
            rows = await store.list_jobs(jobs, 2)
            if len(rows) > 1:
                raise CannotResolve(f"a task belongs to one job, and {keys[0]} means several")
            if not rows:
                return []
            known = await self._shown(store, str(rows[0]["attempt_id"]), task)
            return await store.operators.adopt(jobs, known)

        return await self._settle(act, batch, keys, states=(State.UNCERTAIN,))

    async def _settle(self, action: Action, batch: str | None, keys: Sequence[str], **narrowing: Any) -> Resolved:  # noqa: ANN401
        async with self.store() as store:
            selection = replace(await self._selection(store, batch, keys), **narrowing)
            answered = await self._read_in(store, selection)
            spared = frozenset(str(job.attempt_id) for job in answered)
            acted = await action(store, replace(selection, spared=spared))
            return Resolved(acted=tuple(acted), answered=tuple(job.key for job in answered))

    async def _read_in(self, store: Store, selection: Selection) -> list[Job]:
        """Read spooled answers into the attempts they belong to; return the jobs that are meant and need no word any more."""
        if not self.spool_folder.is_dir():
            return []
        meant = {str(row["attempt_id"]) for row in await store.list_jobs(selection, sys.maxsize)}
        spool = Spool(self.spool_folder)
        try:
            jobs = [await self._take_answer(store, spool, attempt) for attempt in spool.attempts() if attempt in meant]
        finally:
            spool.close()
        return [job for job in jobs if job is not None]

    async def _take_answer(self, store: Store, spool: Spool, attempt: str) -> Job | None:
        """Return the job of an attempt whose spooled answer tells what became of it."""
        found = await store.doubts.attempt(attempt)
        if found is None or found[1] not in (AttemptState.UNCERTAIN, AttemptState.ABANDONED):
            return None
        job, standing = found
        provider = self.registry.provider(job.spec.provider)
        spooled = await read_spooled(spool, provider, attempt)
        if spooled is not None and standing is AttemptState.UNCERTAIN:
            settings = (await store.accounts())[job.account].settings
            await self._write_answer(store, job, provider, settings, *spooled)
        return job if spooled is not None else None

    async def _write_answer(
        self, store: Store, job: Job, provider: Provider, settings: AccountSettings, report: Report, answer: Answer
    ) -> None:
        verbs, now = store.transitions(USER, lambda _job, _state: None, Redactor()), self.clock.now()
        try:
            if report.status is Status.SUCCEEDED and report.outputs:
                delivery = delivery_of(job, provider, settings, report, answer, unfinished_at=now, now=now)
                await verbs.deliver(job, delivery)
            elif report.status is Status.RUNNING:
                await verbs.accept(job, accepted_of(job, provider, report, answer))
        except Stale:
            return  # an engine that runs beside has read it first

    async def _shown(self, store: Store, attempt: str, task: str) -> str:
        """Return the id of a task that its provider shows, and that can be this attempt's; raise `CannotResolve`."""
        found = await store.doubts.attempt(attempt)
        if found is None:
            raise CannotResolve("the job has no attempt")
        job = found[0]
        provider = self.registry.provider(job.spec.provider)
        if not isinstance(provider, TaskProvider):
            raise CannotResolve(f"{provider.id} answers with the image itself and has no tasks that could be adopted")
        settings = (await store.accounts())[job.account].settings
        answer = await self._asked(provider, settings, task)
        try:
            is_other = isinstance(provider, LookupProvider) and provider.read_lookup(answer, attempt) is None
            report = provider.read_status(answer)
        except Unreadable as error:
            raise CannotResolve(f"task {task} could not be looked at: {error}") from error
        if is_other:
            raise CannotResolve(f"task {task} was started by another attempt")
        return report.remote_id or task

    async def _asked(self, provider: TaskProvider, settings: AccountSettings, task: str) -> Answer:
        keys = keys_of({settings.name: settings}, self.problems)
        self.problems.raise_if_any()
        async with AsyncExitStack() as stack:
            (reachable,) = await at_work(self, stack, [settings])
            transport = await stack.enter_async_context(Transport(keys, Redactor(keys.values())))
            try:
                request = provider.status_request(task, reachable)
                answer = await transport.ask(request, reachable, within=settings.timeouts.poll)
            except (Unsent, Unanswered) as error:
                raise CannotResolve(f"task {task} could not be looked at: {error}") from error
        if answer.status not in range(200, 300):
            said = Redactor(keys.values())(provider.read_failure(answer).message)
            raise CannotResolve(f"{settings.name} does not show a task {task}: HTTP {answer.status}: {said}")
        return answer

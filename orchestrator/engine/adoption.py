"""Gives an attempt the task that a call named, once the provider itself has shown the task to be this attempt's.

The third rung of the ladder (design.md section 5): for an attempt whose answer was lost, or has not come yet, or that was left
behind and then brings an extra.
"""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.engine.asking import ask_for_task
from orchestrator.engine.callback_paths import leads_to
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.tools import Tools
from orchestrator.jobs.reports import Report
from orchestrator.providers.base import LookupProvider, RecognisingProvider, TaskProvider
from orchestrator.store.callbacks import Call
from orchestrator.store.doubts import Doubt
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request, Unanswered, Unreadable, Unsent

_NOT_FOUND = frozenset({404, 410})

Read = Callable[[Answer], Report | None]


class Later(Exception):
    """The provider could not be asked now."""


class Adoption:
    """Adopts tasks; `settled` hears of every attempt that got its own."""

    def __init__(self, tools: Tools, inbox: Inbox) -> None:
        self._tools, self._inbox = tools, inbox
        self.settled: Callable[[str], None] = _nobody

    async def of(self, job: Job, call: Call) -> None:
        """Look into a call about an attempt without a task; raises `Later`."""
        doubt = await self._tools.store.doubts.of(job)
        report, why = await self._proof(job, call, doubt)
        if report is None:
            self._tools.news.tell("callback_refused", job, attempt=call.attempt_id, remote_id=call.remote_id, reason=why)
            return
        self._tools.news.tell("task_adopted", job, attempt=call.attempt_id, remote_id=call.remote_id)
        report = replace(report, remote_id=call.remote_id)
        await self._inbox.adopt(call.attempt_id, report, unfinished_at=doubt.started_at)
        self.settled(call.attempt_id)

    async def _proof(self, job: Job, call: Call, doubt: Doubt) -> tuple[Report | None, str]:
        """Return what the provider says of the task, if it is this attempt's beyond doubt; else why it is not."""
        if job.remote_id not in (None, call.remote_id):
            return None, "the attempt has another task"
        if await self._tools.store.callbacks.holder(job.spec.provider, call.remote_id, but=call.attempt_id) is not None:
            return None, "the task is another attempt's"
        provider, settings = self._tools.provider(job), self._tools.desk(job).settings
        report = None
        if provider.capabilities.lookup and isinstance(provider, LookupProvider):
            request = provider.lookup_request(call.attempt_id, settings)
            report = await self._asked(job, request, lambda answer: provider.read_lookup(answer, call.attempt_id))
        elif isinstance(provider, TaskProvider):
            request = provider.status_request(call.remote_id, settings)
            report = await self._asked(job, request, lambda answer: _recognised(provider, answer, job, call, doubt.token_hash))
        is_ours = report is not None and report.remote_id in (None, call.remote_id)
        return (report if is_ours else None), "the provider does not show it to be this attempt's"

    async def _asked(self, job: Job, request: Request, read: Read) -> Report | None:
        try:
            answer = await ask_for_task(self._tools, job, job.attempt_id, request)
            if answer.status in _NOT_FOUND:
                return None
            if answer.status not in range(200, 300):
                raise Later(f"the provider answered with HTTP {answer.status}")
            return read(answer)
        except (Unsent, Unanswered, Unreadable) as error:
            raise Later(str(error)) from error


def _recognised(provider: TaskProvider, answer: Answer, job: Job, call: Call, token_hash: str | None) -> Report | None:
    """Return what a task says, if it is the one that the attempt is known to have, or shows what it was ordered with."""

    def is_our_path(url: str) -> bool:
        return token_hash is not None and leads_to(url, token_hash)

    known = job.remote_id == call.remote_id
    if not known and not (isinstance(provider, RecognisingProvider) and provider.is_task_of(answer, job.spec, is_our_path)):
        return None
    return provider.read_status(answer)


def _nobody(attempt_id: str) -> None:
    raise RuntimeError(f"nobody hears that {attempt_id} is settled")

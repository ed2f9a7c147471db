"""Finds the task of an attempt whose answer was lost, by its id or our own reference: free, and finding none proves nothing."""

from orchestrator.engine.asking import ask_for_task
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import AccountSettings, OnUncertain
from orchestrator.jobs.reports import Report
from orchestrator.providers.base import LookupProvider, Provider, TaskProvider
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request, Unanswered, Unreadable, Unsent

_NOT_FOUND = frozenset({404, 410})


def question_of(job: Job, provider: Provider, settings: AccountSettings) -> Request | None:
    """Return the request that asks for a job's task, if its provider can be asked."""
    if job.remote_id is not None and isinstance(provider, TaskProvider):
        return provider.status_request(job.remote_id, settings)
    if provider.capabilities.lookup and isinstance(provider, LookupProvider):
        return provider.lookup_request(str(job.attempt_id), settings)
    return None


def can_climb(tools: Tools, job: Job) -> bool:
    """Say whether anything but the user can clear a doubt about a job."""
    provider, settings = tools.provider(job), tools.desk(job).settings
    if question_of(job, provider, settings) is not None or tools.callback_paths.are_given(provider, settings):
        return True
    return settings.idempotency_header is not None or settings.uncertain is OnUncertain.RESUBMIT


class Lookup:
    """Asks."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def can_ask(self, job: Job) -> bool:
        """Say whether the provider can be asked for a job's task."""
        return self._question(job) is not None

    async def find(self, job: Job) -> tuple[Report | None, str]:
        """Return what the provider shows of a job's task; None, and why, when it shows nothing or cannot be understood."""
        question = self._question(job)
        if question is None:
            return None, "nobody can be asked"
        try:
            answer = await ask_for_task(self._tools, job, job.attempt_id, question)
            if answer.status in _NOT_FOUND:
                return None, "the provider knows no such task"
            if answer.status not in range(200, 300):
                return None, f"the look-up was answered with HTTP {answer.status}"
            return self._read(job, answer), "the provider shows no task of this attempt"
        except (Unsent, Unanswered, Unreadable) as error:
            return None, f"the look-up failed: {error}"

    def _question(self, job: Job) -> Request | None:
        return question_of(job, self._tools.provider(job), self._tools.desk(job).settings)

    def _read(self, job: Job, answer: Answer) -> Report | None:
        provider = self._tools.provider(job)
        if job.remote_id is not None and isinstance(provider, TaskProvider):
            return provider.read_status(answer)
        if isinstance(provider, LookupProvider):
            return provider.read_lookup(answer, str(job.attempt_id))
        return None

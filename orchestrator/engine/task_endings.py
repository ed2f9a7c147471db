"""What becomes of a task about which nothing can be learned any more: it is paid for, so it never simply fails."""

from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.store.records import Job


class TaskEndings:
    """Ends the asking for tasks."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def lose(self, job: Job, failure: Failure) -> None:
        """End a job whose links died and whose task is gone, too."""
        gone = Failure(code=ErrorCode.RESULT_EXPIRED, message=f"its links died and its task is gone: {failure.message}")
        lost = await self._tools.transitions.lose(job, await self._tools.store.images(job), gone)
        self._tools.desk(job).outstanding.discard(job.id)
        self._tools.news.tell_failure(lost, gone)

    async def is_overdue(self, job: Job) -> bool:
        """Hold a job whose task runs beyond its account's deadline; say whether it does."""
        now, limit = self._tools.clock.now(), self._tools.desk(job).settings.task_deadline
        if now - (job.answered_at or now) <= limit:
            return False
        message = f"the task did not end within {round(limit)} s; its id is kept"
        await self.hold(job, Failure(code=ErrorCode.TASK_OVERDUE, message=message))
        return True

    async def hold(self, job: Job, failure: Failure) -> None:
        """Hold a job with its task's id, which is asked for again at every start."""
        doubted = await self._tools.transitions.doubt(job, failure, Phase.ANSWERED, next_at=None)
        self._tools.news.tell("job_uncertain", doubted, code=failure.code.value, message=failure.message, at_stake=job.cost_worst)
        self._tools.desk(job).outstanding.discard(job.id)

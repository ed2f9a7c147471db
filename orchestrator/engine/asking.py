"""One free question for a task, whose answer may be the image itself."""

from orchestrator.engine.tools import Tools
from orchestrator.results import Overflow
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request


async def ask_for_task(tools: Tools, job: Job, attempt_id: str | None, request: Request) -> Answer:
    """Send a question about a job's attempt and return its answer; raises `Unsent` or `Unanswered`.

    Where results stand in the answer, a large one is spooled as it comes, and may take as long as a download.
    """
    settings = tools.desk(job).settings
    if not tools.provider(job).capabilities.inline_results:
        return await tools.transport.ask(request, settings, within=settings.timeouts.poll)
    with Overflow(tools.spool, str(attempt_id)) as sink:
        return await tools.transport.ask(request, settings, within=settings.timeouts.download, sink=sink)

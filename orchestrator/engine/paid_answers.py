"""What the answer to a paid request says, whether it has just come or lay in the spool."""

from orchestrator.jobs.reports import Report
from orchestrator.providers.base import Provider
from orchestrator.results import Spool
from orchestrator.transport.messages import Answer, Unreadable


def read_paid(provider: Provider, answer: Answer) -> Report:
    """Return what a 2xx answer says; raise `Unreadable` when it has neither a task id, an image nor a reason."""
    report = provider.read_submission(answer)
    if report.remote_id is None and not report.outputs and report.failure is None:
        raise Unreadable("the answer has neither a task id nor an image")
    return report


async def read_spooled(spool: Spool, provider: Provider, attempt_id: str) -> tuple[Report, Answer] | None:
    """Return what the spooled answer of an attempt says; None without one, and for one that says nothing of a result.

    What cannot be read stays in the spool: a later version may read it.
    """
    if not spool.has(attempt_id) and await salvaged(spool, provider, attempt_id) is None:
        return None
    spooled = await spool.read(attempt_id)
    answer = Answer(status=spooled.status, headers=spooled.headers, body=spooled.body)
    if answer.status not in range(200, 300):
        return None
    try:
        return read_paid(provider, answer), answer
    except Unreadable:
        return None


async def salvaged(spool: Spool, provider: Provider, attempt_id: str) -> Answer | None:
    """Return what came of an answer that broke off when it says enough, and keep it as a whole one; None when it does not.

    A stream tells when an image is whole, or at least which task is at work; JSON that was cut does not parse.
    """
    came = await spool.broken_off(attempt_id)
    if came is None or came.status not in range(200, 300):
        return None
    answer = Answer(status=came.status, headers=came.headers, body=came.body)
    try:
        read_paid(provider, answer)
    except Unreadable:
        return None
    await spool.settle(attempt_id)
    return answer

"""Sends a lost request again under its idempotency key: the same bytes and the same key, so that it is paid at most once.

Only within half the life of the key, at most three times, and only where the account names a header that its provider honours.
"""

from dataclasses import dataclass

from orchestrator.engine.exchange import Exchange, Sent
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.inputs import InputRoom, UploadFailed
from orchestrator.engine.limiter import Limiter
from orchestrator.engine.ordering import digest_of, request_of
from orchestrator.engine.own_images import InputChanged
from orchestrator.engine.paid_answers import read_paid
from orchestrator.engine.parents import Unfit
from orchestrator.engine.permit import Permit
from orchestrator.engine.tools import Tools
from orchestrator.jobs.retry import advised_wait, wait_after
from orchestrator.providers.base import Provider
from orchestrator.store.doubts import Doubt
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request, Unanswered, Unreadable, Unsent

MOST_RESENDS = 3
_CONFLICT, _UNPROCESSABLE, _THROTTLED, _UNAVAILABLE = 409, 422, 429, 503
_REUSED = ("reuse", "different", "another", "mismatch", "not match")
"""What a 409 says when it does not mean that the first request is still at work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """Nothing is settled yet."""

    why: str
    wait: float
    """Seconds until the next try."""
    counts: bool = False
    """Whether the provider has had its say, which is one of three."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Over:
    """The key clears nothing."""

    why: str
    hold: bool = False
    """Whether something is wrong, so that only the user may go on."""


class Resending:
    """The first rung of the ladder."""

    def __init__(self, tools: Tools, inbox: Inbox) -> None:
        self._tools, self._inbox = tools, inbox
        self._inputs = InputRoom(tools)

    def is_open(self, job: Job, doubt: Doubt) -> bool:
        """Say whether a request may be sent again now."""
        desk = self._tools.desk(job)
        header, life = desk.settings.idempotency_header, desk.settings.idempotency_ttl
        if header is None or life is None or doubt.idempotency_key is None or desk.paused is not None:
            return False
        if job.remote_id is not None or self._tools.spool.has(str(job.attempt_id)):
            return False  # an answer came: what is missing is not the answer
        age = self._tools.clock.now() - doubt.started_at
        return doubt.resends < MOST_RESENDS and 0 <= age <= life / 2

    async def send(self, job: Job, doubt: Doubt, streak: int) -> Again | Over | None:
        """Send once; None when the answer settled the attempt. `streak` counts the answers in a row that asked to wait."""
        provider, desk = self._tools.provider(job), self._tools.desk(job)
        try:
            prepared = await self._inputs.prepare(job)
        except (InputChanged, Unfit) as error:
            return Over(why=str(error))
        except UploadFailed as error:
            return Again(why=str(error), wait=self._wait(streak)) if error.again else Over(why=str(error))
        path = self._tools.callback_paths.of(provider, desk.settings, str(job.attempt_id)) if doubt.token_hash else None
        request = request_of(provider, desk.settings, str(job.attempt_id), prepared, path)
        if digest_of(request) != doubt.request_sha256:
            return Over(why="the request would not be the same any more, so it cannot go under the same key")
        return await self._sent(job, provider, request, doubt, streak)

    async def _sent(self, job: Job, provider: Provider, request: Request, doubt: Doubt, streak: int) -> Again | Over | None:
        desk = self._tools.desk(job)
        permit = await desk.limiter.acquire(job.spec.request_n)
        try:
            if desk.paused is not None:
                return Over(why="its account was paused before the request could be sent again")
            started_at = self._tools.clock.now()
            desk.limiter.sent(permit)
            sent = await Exchange(self._tools, desk.settings).of(job, provider, request)
            self._tell(desk.limiter, permit, sent)
        finally:
            desk.limiter.release(permit)
        if sent.answer is not None and sent.answer.status in range(200, 300):
            return await self._answered(job, provider, sent.answer, started_at)
        self._tools.spool.discard(str(job.attempt_id))
        return self._refused(sent, provider, doubt, streak)

    def _tell(self, limiter: Limiter, permit: Permit, sent: Sent) -> None:
        advised = advised_wait(sent.answer.headers, self._tools.clock.now()) if sent.answer is not None else None
        if sent.signal == _THROTTLED:
            limiter.throttled(permit, advised)
        elif sent.signal == _UNAVAILABLE or isinstance(sent.error, Unsent):
            limiter.unreachable(permit, advised)
        elif sent.answer is None:
            limiter.troubled(permit)
        else:
            limiter.succeeded(permit)

    async def _answered(self, job: Job, provider: Provider, answer: Answer, started_at: float) -> Over | None:
        try:
            report = read_paid(provider, answer)
        except Unreadable as error:
            if not self._tools.spool.has(str(job.attempt_id)):
                await self._tools.spool.keep(str(job.attempt_id), answer.status, answer.headers, answer.body)
            return Over(why=f"sent again under the same key: {error}; the raw answer is kept", hold=True)
        self._tools.news.tell("answer_repeated", job, attempt=job.attempt_id)
        await self._inbox.take(job, report, answer=answer, unfinished_at=started_at)
        return None

    def _refused(self, sent: Sent, provider: Provider, doubt: Doubt, streak: int) -> Again | Over:
        if sent.answer is None:
            came = f"sent again under the same key: {sent.error}"
            return Again(why=came, wait=self._wait(doubt.resends + 1), counts=isinstance(sent.error, Unanswered))
        status, said = sent.answer.status, provider.read_failure(sent.answer).message
        why = f"sent again under the same key, answered with HTTP {status}: {said}"
        if status == _UNPROCESSABLE or (status == _CONFLICT and _says_reused(sent.answer)):
            return Over(why=why, hold=True)
        if status in (_CONFLICT, _THROTTLED, _UNAVAILABLE):
            advised = advised_wait(sent.answer.headers, self._tools.clock.now())
            return Again(why=why, wait=self._wait(streak, advised))
        return Again(why=why, wait=self._wait(doubt.resends + 1), counts=True)

    def _wait(self, streak: int, advised: float | None = None) -> float:
        return wait_after(max(1, streak), self._tools.random, advised)


def _says_reused(answer: Answer) -> bool:
    text = answer.body[:2000].decode("utf-8", "replace").lower()
    return any(word in text for word in _REUSED)

"""One attempt from claim to outcome: it pays once.

The order of writes is the promise (reliability.md a.2): the attempt is committed before the first byte leaves, the answer is
durable before it is used, and what is neither a proven no nor a readable yes is held.
"""

import asyncio
import secrets

from orchestrator.engine.desk import Desk, too_long
from orchestrator.engine.exchange import Exchange, Sent
from orchestrator.engine.forgetting import forgotten
from orchestrator.engine.inbox import Inbox
from orchestrator.engine.inputs import Prepared
from orchestrator.engine.lookup import can_climb
from orchestrator.engine.ordering import digest_of, request_of
from orchestrator.engine.paid_answers import read_paid, salvaged
from orchestrator.engine.permit import Permit
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import OnError
from orchestrator.jobs.attempts import AttemptState, Charged, Phase
from orchestrator.jobs.failures import Action, ErrorCode, Failure, Signal, judge_submission, row_of
from orchestrator.jobs.limits import complaint
from orchestrator.jobs.retry import advised_wait, wait_after
from orchestrator.providers.base import Provider
from orchestrator.store.door import Stale
from orchestrator.store.records import AttemptEnd, Job, NewAttempt
from orchestrator.transport.messages import Answer, Request, Unanswered, Unreadable

OLDEST_INTENT = 5.0
"""Seconds between the commit of an attempt and its first byte at most: a process that was frozen must not wake up and pay."""
LONGEST_STANDSTILL = 1800.0
"""Seconds of refusals in a row, without one success, after which the account is paused and the user asked to look."""
MOST_TRIES = 6
"""Times a free error of the server is tried again before the job fails."""
FREE_RETRIES = 2
"""Times an error that the account calls free is tried again before it is held after all."""


class Submission:
    """Makes one attempt for a job."""

    def __init__(self, tools: Tools, inbox: Inbox, desk: Desk, permit: Permit) -> None:
        self._tools, self._inbox, self._desk, self._permit = tools, inbox, desk, permit
        self._exchanging = False
        self._forgettable: frozenset[ErrorCode] = frozenset()
        self._stopped = False

    async def make(self, job: Job, prepared: Prepared) -> Job | None:
        """Pay for a job; return it as it is afterwards, or None when somebody else had it. Raises `BudgetReached`.

        A cancellation ends the waiting for the answer, never the writing down of what is known: the attempt is then held, or
        not sent at all.
        """
        work = asyncio.create_task(self._make(job, prepared))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stopped = True
            if self._exchanging:
                work.cancel()
            await work
            raise

    async def _make(self, job: Job, prepared: Prepared) -> Job | None:
        attempt_id = secrets.token_hex(16)
        provider = self._tools.provider(job)
        path = self._tools.callback_paths.of(provider, self._desk.settings, attempt_id)
        request = request_of(provider, self._desk.settings, attempt_id, prepared, path)
        self._forgettable = prepared.forgettable
        key = attempt_id if self._desk.settings.idempotency_header is not None else None
        digest = digest_of(request)
        intent = NewAttempt(
            id=attempt_id,
            token_hash=path.token_hash if path else None,
            request_sha256=digest,
            idempotency_key=key,
            worker=self._tools.worker,
            parents=prepared.used,
        )
        try:
            # failpoint P0
            job = await self._tools.budget.claim(job, intent)
        except Stale:
            return None
        self._tools.news.tell("job_submitting", job, attempt=attempt_id)
        return await self._send(job, provider, request, written_at=self._tools.clock.monotonic())

    async def _send(self, job: Job, provider: Provider, request: Request, *, written_at: float) -> Job | None:
        # failpoint P17
        if self._stopped or self._tools.clock.monotonic() - written_at > OLDEST_INTENT:
            frozen = Failure(code=ErrorCode.NOT_CONNECTED, message="this process was stopped before it could send")
            return await self._postpone(job, frozen, AttemptState.NOT_SENT, Phase.NONE, tries=job.tries, throttles=job.throttles)
        started_at = self._tools.clock.now()
        self._desk.limiter.sent(self._permit)
        # failpoint P1
        self._exchanging = True
        try:
            sent = await Exchange(self._tools, self._desk.settings).of(job, provider, request)
        except asyncio.CancelledError:
            sent = Sent(None, Unanswered(Signal.CUT, "stopped by the user while the answer was on its way"))
        self._exchanging = False
        if isinstance(sent.error, Unanswered) and (answer := await salvaged(self._tools.spool, provider, str(job.attempt_id))):
            sent = Sent(answer, None)
        return await self._record(job, provider, sent, started_at)

    async def _record(self, job: Job, provider: Provider, sent: Sent, started_at: float) -> Job | None:
        answer = sent.answer
        if answer is not None:
            self._desk.limiter.hear(answer.headers)
        if answer is not None and answer.status in range(200, 300):
            self._desk.limiter.succeeded(self._permit)
            try:
                report = read_paid(provider, answer)
            except Unreadable as error:
                return await self._unreadable(job, answer, error)
            return await self._inbox.take(job, report, answer=answer, unfinished_at=started_at)
        try:
            return await self._failed(job, provider, sent)
        except Stale:
            self._tools.news.tell("old_news", job, status="failed", attempt=job.attempt_id)
            return None

    async def _unreadable(self, job: Job, answer: Answer, error: Unreadable) -> Job:
        """Hold a paid answer that makes no sense, and keep every byte of it: it may hold the id."""
        try:
            if not self._tools.spool.has(str(job.attempt_id)):
                await self._tools.spool.keep(str(job.attempt_id), answer.status, answer.headers, answer.body)
            message = f"{error}; the raw answer is kept"
        except OSError as trouble:
            self._tools.brake.pull(f"an answer can be written nowhere: {trouble}")
            message = f"{error}; the raw answer could not be kept: {trouble}"
        # failpoint P13
        failure = Failure(code=ErrorCode.ANSWER_UNREADABLE, message=message, http_status=answer.status)
        return await self._hold(job, failure, Phase.ANSWERED)

    async def _failed(self, job: Job, provider: Provider, sent: Sent) -> Job:
        failure = self._failure(provider, sent)
        settings = self._desk.settings
        free = job.tries < FREE_RETRIES
        verdict = judge_submission(
            sent.signal,
            failure,
            first_contact=not self._desk.contacted,
            errors_are_free=free and settings.on_500 is OnError.RETRY,
            gateway_errors_are_free=free and settings.on_502 is OnError.RETRY,
        )
        if verdict.action is Action.HOLD:
            job = await self._hold(job, failure, sent.phase)
            self._desk.limiter.troubled(self._permit)  # only now: a call that came first proves that all is well
            if self._desk.limiter.stuck_for > LONGEST_STANDSTILL:
                await self._tools.pause(self._desk, failure)
            return job
        lost = forgotten(provider, failure, self._forgettable) if verdict.action is Action.FAIL else None
        if lost is not None:
            self._desk.limiter.succeeded(self._permit)
            refused, tries = AttemptState.REFUSED, job.tries + 1
            job = await self._postpone(job, lost, refused, sent.phase, tries=tries, throttles=job.throttles)
        else:
            job = await self._settle(job, sent, verdict.action, failure)
        self._tools.spool.discard(str(job.attempt_id))
        return job

    async def _settle(self, job: Job, sent: Sent, action: Action, failure: Failure) -> Job:
        """Act on a proven no: nothing was charged."""
        if action is Action.FAIL:
            self._desk.limiter.succeeded(self._permit)
            return await self._refuse(job, sent, failure)
        if action is Action.PAUSE or too_long(failure.retry_after) or self._desk.limiter.stuck_for > LONGEST_STANDSTILL:
            await self._tools.pause(self._desk, failure)
            state = AttemptState.REFUSED if sent.answer else AttemptState.NOT_SENT
            return await self._postpone(job, failure, state, sent.phase, tries=job.tries, throttles=job.throttles)
        throttles = job.throttles + 1
        if action is Action.THROTTLE:
            self._close_gate(failure, sent)
            return await self._postpone(job, failure, AttemptState.THROTTLED, sent.phase, tries=job.tries, throttles=throttles)
        if sent.answer is None:
            self._desk.limiter.unreachable(self._permit)
            return await self._postpone(job, failure, AttemptState.NOT_SENT, sent.phase, tries=job.tries, throttles=throttles)
        return await self._try_again(job, sent, failure, throttles)

    async def _try_again(self, job: Job, sent: Sent, failure: Failure, throttles: int) -> Job:
        """Postpone a job after a free error. A provider that is away is no fault of the job that happens to probe it."""
        self._desk.limiter.troubled(self._permit)
        tries = job.tries if self._desk.limiter.is_away else job.tries + 1
        if tries >= MOST_TRIES:
            return await self._refuse(job, sent, failure)
        return await self._postpone(job, failure, AttemptState.REFUSED, sent.phase, tries=tries, throttles=throttles)

    async def _refuse(self, job: Job, sent: Sent, failure: Failure) -> Job:
        end = AttemptEnd(state=AttemptState.REFUSED, charged=Charged.NO, phase=sent.phase, failure=failure)
        job = await self._tools.transitions.refuse(job, end, failure)
        self._tools.news.tell_failure(job, failure)
        return job

    def _close_gate(self, failure: Failure, sent: Sent) -> None:
        if failure.code is ErrorCode.UNAVAILABLE:
            self._desk.limiter.unreachable(self._permit, failure.retry_after)
        else:
            about = complaint(failure.message, sent.answer.headers if sent.answer is not None else {})
            self._desk.limiter.throttled(self._permit, failure.retry_after, about)

    def _failure(self, provider: Provider, sent: Sent) -> Failure:
        if sent.answer is None:
            return Failure(code=row_of(sent.signal).code, message=str(sent.error))
        read = provider.read_failure(sent.answer)
        advised = advised_wait(sent.answer.headers, self._tools.clock.now())
        return Failure(
            code=read.code,
            message=read.message,
            http_status=sent.answer.status,
            provider_code=read.provider_code,
            request_id=read.request_id or sent.answer.headers.get("x-request-id"),
            retry_after=advised if advised is not None else read.retry_after,
        )

    async def _postpone(
        self, job: Job, failure: Failure, state: AttemptState, phase: Phase, *, tries: int, throttles: int
    ) -> Job:
        end = AttemptEnd(state=state, charged=Charged.NO, phase=phase, failure=failure)
        wait = wait_after(max(1, throttles), self._tools.random, failure.retry_after)
        if tries > job.tries:
            wait = max(wait, self._desk.limiter.retries.wait())
        next_at = self._tools.clock.now() + wait
        job = await self._tools.transitions.postpone(job, end, next_at=next_at, tries=tries, throttles=throttles)
        self._tools.news.tell("job_postponed", job, code=failure.code.value, wait=round(wait, 3), message=failure.message)
        return job

    async def _hold(self, job: Job, failure: Failure, phase: Phase) -> Job:
        """Keep what may have been charged; where anything can clear it, the rescuer is due at once."""
        next_at = self._tools.clock.now() if can_climb(self._tools, job) else None
        job = await self._tools.transitions.doubt(job, failure, phase, next_at=next_at)
        self._tools.news.tell("job_uncertain", job, code=failure.code.value, message=failure.message, at_stake=job.cost_worst)
        return job

"""The way of a paid request through any provider: who is it, how fast, is it right, and what goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.simulator.answers import drop_connection
from orchestrator.simulator.arrival import Arrival, read_arrival
from orchestrator.simulator.ledger import Submission
from orchestrator.simulator.limits import Limits
from orchestrator.simulator.orders import Order, Task
from orchestrator.simulator.owner import key_of, owner_of
from orchestrator.simulator.refusal import Refusal
from orchestrator.simulator.repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from orchestrator.simulator.callbacks import Callbacks
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.faults import Chance, Faults, Verdict
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.relay_tasks import RelayTasks
    from orchestrator.simulator.tasks import TaskBook

__all__ = ["Api", "Gate"]


class Api(Protocol):
    """What the gate must know about one paid endpoint of one provider."""

    provider: str
    endpoint: str

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""

    def unauthorised(self) -> Refusal:
        """The key is missing or wrong."""

    def throttled(self) -> Refusal:
        """Too fast."""

    def out_of_quota(self) -> Refusal:
        """The balance is empty."""

    def broken(self, status: int) -> Refusal:
        """Something inside the provider failed."""

    def failed_at_once(self) -> Refusal | None:
        """How a generation fails within the request; None when it becomes a failed task instead."""

    def pace_headers(self, limit: int, remaining: int, reset: float) -> dict[str, str]:
        """Rate limit headers; `reset` is seconds until one more request is let through."""

    def refuse(self, refusal: Refusal) -> web.Response:
        """The error answer."""

    async def accept(self, request: web.Request, task: Task) -> web.StreamResponse:
        """The answer to an accepted order."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A paid request before the gate."""

    api: Api
    arrival: Arrival
    key: str | None
    idempotency_key: str | None = None

    @property
    def prompt(self) -> str:
        """The prompt as sent, empty when it is no text."""
        prompt = self.arrival.values.get("prompt")
        return prompt if isinstance(prompt, str) else ""


class Gate:
    """Judges paid requests, writes each into the ledger, and only then lets the answer go.

    `on_accepted` is called the moment a request is charged, before anything is answered.
    """

    on_accepted: Callable[[Submission], None] | None = None
    relay_tasks: RelayTasks | None = None
    """Who answers with tasks where images are promised."""
    callbacks: Callbacks | None = None
    """Who calls back when tasks end."""

    def __init__(
        self,
        *,
        options: SimulatorOptions,
        clock: Clock,
        chance: Chance,
        faults: Faults,
        ledger: Ledger,
        tasks: TaskBook,
    ) -> None:
        self._options = options
        self._clock = clock
        self._chance = chance
        self._faults = faults
        self._ledger = ledger
        self._tasks = tasks
        self._limits = Limits(options, clock)
        self._repeats = Repeats(options, clock)
        self._outstanding = 0
        self._charged = 0

    def is_welcome(self, key: str | None) -> bool:
        """Whether this key, or none, is let in."""
        if self._options.key is not None:
            return key == self._options.key
        return bool(key) or not self._options.require_key

    async def submit(self, request: web.Request, api: Api) -> web.StreamResponse:
        """Handle one paid request from arrival to answer."""
        with self._ledger.flight():
            header = self._options.idempotency_header
            once = request.headers.get(header) if header is not None else None
            case = Case(api=api, arrival=await read_arrival(request), key=key_of(request), idempotency_key=once)
            try:
                repeated = self._repeats.known(owner_of(case.key), once, case.arrival.raw_sha256)
                if repeated is not None:
                    return await self._repeat(request, case, repeated)
                order, verdict = self._judge(case)
            except Refusal as refusal:
                self._record(case, outcome=refusal.outcome, status=refusal.status)
                answer = api.refuse(refusal)
                answer.headers.update(self._limits.headers(api))
                return answer
            return await self._accept(request, case, order, verdict)

    def _judge(self, case: Case) -> tuple[Order, Verdict]:
        """Ask in the order in which real gateways do: key, pace, content, balance, luck."""
        api = case.api
        if not self.is_welcome(case.key):
            raise api.unauthorised()
        self._check_pace(case)
        order = api.judge(case.arrival)
        if self._options.quota_after is not None and self._charged >= self._options.quota_after:
            raise api.out_of_quota()
        verdict = self._faults.verdict(order.prompt)
        if verdict.error_before:
            raise api.broken(self._options.error_status)
        failure = api.failed_at_once() if verdict.fails else None
        if failure is not None:
            raise failure
        return order, verdict

    def _check_pace(self, case: Case) -> None:
        limit = self._options.max_concurrent
        is_throttled = (
            self._faults.throttles(case.prompt)
            or (limit is not None and self._outstanding >= limit)
            or not self._limits.take(case.arrival.values.get("n"))
        )
        if is_throttled:
            refusal = case.api.throttled()
            refusal.headers.update(self._retry_headers())
            raise refusal

    async def _accept(self, request: web.Request, case: Case, order: Order, verdict: Verdict) -> web.StreamResponse:
        task = self._charge(case, order, verdict)
        loses_answer = self._faults.loses_answer(order.prompt) or verdict.loses_answer
        status = None if loses_answer else self._options.error_status if verdict.error_after else 200
        submission = self._record(case, outcome="accepted", status=status, task=task)
        if self.on_accepted is not None:
            self.on_accepted(submission)
        if self.callbacks is not None:
            self.callbacks.expect(task)
        self._outstanding += 1
        self._repeats.began(owner_of(case.key), case.idempotency_key, case.arrival.raw_sha256, task)
        try:
            await self._clock.sleep(self._options.latency)
            if loses_answer:
                return drop_connection(request)
            if verdict.error_after:
                return case.api.refuse(case.api.broken(self._options.error_status))
            answer = await self._answered(request, case.api, task)
        finally:
            self._outstanding -= 1
            self._repeats.answered(owner_of(case.key), case.idempotency_key)
        answer.headers.update(self._limits.headers(case.api))
        return answer

    async def _repeat(self, request: web.Request, case: Case, task: Task) -> web.StreamResponse:
        """Answer once more what was ordered under the same key before, for nothing."""
        loses_answer = self._faults.loses_answer(task.order.prompt)
        self._record(case, outcome="repeated", status=None if loses_answer else 200)
        return drop_connection(request) if loses_answer else await self._answered(request, case.api, task)

    async def _answered(self, request: web.Request, api: Api, task: Task) -> web.StreamResponse:
        if self.relay_tasks is not None and self.relay_tasks.answers_for(api.provider):
            return self.relay_tasks.accepted(task)
        return await api.accept(request, task)

    def _charge(self, case: Case, order: Order, verdict: Verdict) -> Task:
        self._charged += 1
        chance = self._chance.stream("duration")
        stretch = 1 + self._options.jitter * chance.uniform(-1, 1)
        if self._options.spread:
            stretch *= math.exp(chance.gauss(0, self._options.spread))
        task = Task(
            id=self._tasks.new_id(),
            provider=case.api.provider,
            owner=owner_of(case.key),
            order=order,
            accepted_at=self._clock.now(),
            duration=self._options.duration * stretch,
            fails=verdict.fails,
        )
        if order.delivery == "url" or order.response is not None or self.relay_tasks is not None:
            self._tasks.remember(task)
        return task

    def _record(self, case: Case, *, task: Task | None = None, **result: Any) -> Submission:  # noqa: ANN401
        order, values = task.order if task else None, case.arrival.values
        n = order.n if order else values.get("n")
        model = order.model if order else values.get("model")
        client_id = order.client_business_id if order else values.get("client_business_id")
        submission = Submission(
            number=len(self._ledger.submissions) + 1,
            at=self._clock.now(),
            monotonic=self._clock.monotonic(),
            provider=case.api.provider,
            endpoint=case.api.endpoint,
            path=case.arrival.path,
            key_hint=owner_of(case.key)[:8] if case.key else None,
            prompt=(order.prompt if order else case.prompt) or None,
            n=n if isinstance(n, int) else None,
            model=model if isinstance(model, str) else None,
            charged=task is not None,
            task_id=task.id if task else None,
            duration=task.duration if task else None,
            client_business_id=client_id if isinstance(client_id, str) else None,
            body=case.arrival.body,
            raw_sha256=case.arrival.raw_sha256,
            raw_text=case.arrival.raw_text,
            headers=case.arrival.headers,
            references=order.references if order else (),
            mask=order.mask if order else None,
            **result,
        )
        self._ledger.submissions.append(submission)
        return submission

    def _retry_headers(self) -> dict[str, str]:
        form, seconds = self._options.retry_after, self._options.retry_after_seconds
        if form is None:
            return {}
        if form == "ms":
            return {"retry-after-ms": str(round(seconds * 1000))}
        if form == "date":
            return {"Retry-After": formatdate(math.ceil(self._clock.now() + seconds), usegmt=True)}
        return {"Retry-After": form}

    def restart(self) -> None:
        """Forget how much was charged."""
        self._charged = 0

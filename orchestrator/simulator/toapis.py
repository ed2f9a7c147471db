"""ToAPIs' image task API (providers.md 1): submit, ask, upload."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.ledger import Poll
from orchestrator.simulator.owner import key_of, owner_of
from orchestrator.simulator.refusal import Refusal
from orchestrator.simulator.toapis_fields import read_order

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.gate import Gate
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Order, Task
    from orchestrator.simulator.results import ResultFiles
    from orchestrator.simulator.tasks import TaskBook
    from orchestrator.simulator.uploads import Uploads

__all__ = ["ToApis"]

UNKNOWN_WORD = "upscaling"
INTERNAL_CODES = {500: "internal_error", 503: "rate_limit_unavailable"}


class ToApis:
    """The server side of toapis.com."""

    provider = "toapis"
    endpoint = "images/generations"

    def __init__(
        self,
        *,
        options: SimulatorOptions,
        clock: Clock,
        ledger: Ledger,
        gate: Gate,
        tasks: TaskBook,
        results: ResultFiles,
        uploads: Uploads,
    ) -> None:
        self._options = options
        self._clock = clock
        self._ledger = ledger
        self._gate = gate
        self._tasks = tasks
        self._results = results
        self._uploads = uploads
        self._asked_before: set[str] = set()

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The endpoints of providers.md 1.1 under a prefix."""
        return [
            web.post(f"{prefix}/v1/images/generations", self._submit),
            web.get(f"{prefix}/v1/images/generations/{{task_id}}", self._status),
            web.post(f"{prefix}/v1/uploads/images", self._upload),
        ]

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        return await self._gate.submit(request, self)

    async def _upload(self, request: web.Request) -> web.Response:
        if not self._gate.is_welcome(key_of(request)):
            return self.refuse(self.unauthorised())
        return await self._uploads.take(request)

    async def _status(self, request: web.Request) -> web.Response:
        asked = request.match_info["task_id"]
        if not self._gate.is_welcome(key_of(request)):
            return self._note(asked, self.refuse(self.unauthorised()))
        task = self._tasks.find(owner_of(key_of(request)), asked, by_client_id=self._options.lookup)
        if task is None or task.provider != self.provider:
            unknown = Refusal(f"Task {asked} does not exist.", status=404, code="task_not_found", kind="not_found_error")
            return self._note(asked, self.refuse(unknown))
        body = self._describe(request, task)
        return self._note(asked, json_answer(body), body["status"])

    def _note(self, asked: str, answer: web.Response, word: str | None = None) -> web.Response:
        self._ledger.polls.append(Poll(at=self._clock.now(), task_id=asked, http_status=answer.status, status=word))
        return answer

    def _describe(self, request: web.Request, task: Task) -> dict[str, Any]:
        """The status answer (providers.md 1.4)."""
        is_first, now = task.id not in self._asked_before, self._clock.now()
        self._asked_before.add(task.id)
        if self._options.unknown_status and is_first:
            return _envelope(task, UNKNOWN_WORD, progress=50)
        if now < task.completed_at:
            share = max(0.0, (now - task.accepted_at) / task.duration)
            words = self._options.progress_words
            return _envelope(task, words[int(share * len(words))], progress=int(share * 100) * self._options.reports_progress)
        if task.fails:
            error = {"code": "generation_failed", "message": "The upstream could not generate this image (status 422)."}
            return _envelope(task, "failed", progress=0) | {"error": error}
        return self._describe_completed(request, task)

    def _describe_completed(self, request: web.Request, task: Task) -> dict[str, Any]:
        urls = self._results.urls(request, task)
        items = [{"url": url} for url in urls]
        places = {
            "result": {"type": "image", "data": items},
            "data": items,
            "url": urls[0],
            "output": urls,
            "outputs": urls,
            "images": urls,
        }
        times = {"completed_at": int(task.completed_at), "expires_at": self._results.expires_at(task)}
        chosen = {place: places[place] for place in self._options.result_places}
        return _envelope(task, "completed", progress=100) | times | chosen

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        return read_order(arrival, self._uploads, self._options)

    async def accept(self, request: web.Request, task: Task) -> web.Response:  # noqa: ARG002 -- others need the request
        """The submit answer (providers.md 1.3)."""
        return json_answer(_envelope(task, self._options.progress_words[0], progress=0))

    def unauthorised(self) -> Refusal:
        """401; its code is a number in the documents' examples."""
        return Refusal("Invalid API key.", status=401, code=401, kind="authentication_error", outcome="unauthorised")

    def throttled(self) -> Refusal:
        """429."""
        word = "rate_limit_exceeded"
        return Refusal("Too many requests.", status=429, code=word, kind=word, outcome="throttled")

    def out_of_quota(self) -> Refusal:
        """402."""
        word = "insufficient_quota"
        return Refusal("The balance does not cover this request.", status=402, code=word, kind=word)

    def broken(self, status: int) -> Refusal:
        """5xx."""
        word = INTERNAL_CODES.get(status, "internal_error")
        return Refusal("Something went wrong on our side.", status=status, code=word, kind=word, outcome="error")

    def failed_at_once(self) -> None:
        """Failures are seen when the task is asked for."""

    def pace_headers(self, limit: int, remaining: int, reset: float) -> dict[str, str]:
        """The headers of providers.md 1.8."""
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(math.ceil(reset)),
            "X-RateLimit-Category": "async_submit",
        }

    def refuse(self, refusal: Refusal) -> web.Response:
        """The error body of providers.md 1.5."""
        error = {"code": refusal.code, "message": refusal.message, "type": refusal.kind}
        if refusal.param is not None:
            error["param"] = refusal.param
        return json_answer({"error": error}, status=refusal.status, headers=refusal.headers)


def _envelope(task: Task, status: str, *, progress: int) -> dict[str, Any]:
    return {
        "id": task.id,
        "object": "generation.task",
        "model": task.order.model,
        "status": status,
        "progress": progress,
        "created_at": int(task.accepted_at),
        "metadata": {},
    }

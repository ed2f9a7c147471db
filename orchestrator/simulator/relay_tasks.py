"""Tasks where images were promised: relays that accept an order and let its task be asked for, in two shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.ledger import Poll
from orchestrator.simulator.owner import key_of, owner_of

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task
    from orchestrator.simulator.results import ResultFiles
    from orchestrator.simulator.tasks import TaskBook

__all__ = ["RelayTasks"]

PROVIDERS = frozenset({"openai", "gpt-image-2", "chat"})
"""Those whose documents promise images in the answer itself."""


class RelayTasks:
    """Answers accepted orders with tasks, as `answers_with_task` says, and tells how they stand."""

    def __init__(self, *, options: SimulatorOptions, clock: Clock, ledger: Ledger, tasks: TaskBook, results: ResultFiles) -> None:
        self._options = options
        self._clock = clock
        self._ledger = ledger
        self._tasks = tasks
        self._results = results

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where tasks are asked for: beside the paid path, or at an address of their own."""
        if self._options.answers_with_task == "inside":
            return [web.get(f"{prefix}/v1/tasks/{{task_id}}", self._status)]
        return [web.get(f"{prefix}/v1/images/generations/{{task_id}}", self._status)]

    def answers_for(self, provider: str) -> bool:
        """Whether this provider's paid requests are answered here."""
        return provider in PROVIDERS

    def accepted(self, task: Task) -> web.Response:
        """The answer in place of images."""
        if self._options.answers_with_task == "inside":
            return json_answer({"code": 200, "data": [{"status": "submitted", "task_id": task.id}]})
        return json_answer({"id": task.id, "object": "image.generation", "status": "queued", "progress": 0})

    async def _status(self, request: web.Request) -> web.Response:
        task_id = request.match_info["task_id"]
        task = self._tasks.find(owner_of(key_of(request)), task_id, by_client_id=False)
        if task is None or task.provider not in PROVIDERS:
            answer = json_answer({"error": {"message": f"No task {task_id}.", "code": "task_not_found"}}, status=404)
            return self._note(task_id, answer, None)
        body = self._describe(request, task)
        return self._note(
            task_id,
            json_answer({"code": 200, "data": body} if self._options.answers_with_task == "inside" else body),
            str(body["status"]),
        )

    def _describe(self, request: web.Request, task: Task) -> dict[str, Any]:
        if self._clock.now() < task.completed_at:
            return {"id": task.id, "status": "processing", "progress": 50}
        if task.fails:
            return {"id": task.id, "status": "failed", "error": {"message": "The image was blocked by moderation."}}
        urls = self._results.urls(request, task)
        if self._options.answers_with_task == "inside":
            images = [{"url": [url], "expires_at": self._results.expires_at(task)} for url in urls]
            return {"id": task.id, "status": "completed", "progress": 100, "result": {"images": images}}
        return {"id": task.id, "status": "completed", "progress": 100, "data": [{"url": url} for url in urls]}

    def _note(self, asked: str, answer: web.Response, word: str | None) -> web.Response:
        self._ledger.polls.append(Poll(at=self._clock.now(), task_id=asked, http_status=answer.status, status=word))
        return answer

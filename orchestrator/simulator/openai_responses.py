"""OpenAI's Responses API (providers.md 5.7): answered at once, in events, or in the background to be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.event_stream import EventStream
from orchestrator.simulator.ledger import Poll
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_images import OpenAiGenerations
from orchestrator.simulator.openai_responses_body import call_id, describe, image_call, response_id, task_id_of
from orchestrator.simulator.openai_responses_fields import Earlier, read_response_order
from orchestrator.simulator.openai_streaming import encoded, rough
from orchestrator.simulator.owner import key_of, owner_of
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.gate import Gate
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.openai_files import OpenAiFiles
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Order, Task
    from orchestrator.simulator.results import ResultFiles
    from orchestrator.simulator.tasks import TaskBook

__all__ = ["OpenAiResponses"]


class OpenAiResponses(OpenAiGenerations):
    """The endpoint for responses, and for those in the background."""

    endpoint = "responses"

    def __init__(
        self,
        *,
        options: SimulatorOptions,
        clock: Clock,
        gate: Gate,
        results: ResultFiles,
        identifiers: Random,
        ledger: Ledger,
        tasks: TaskBook,
        files: OpenAiFiles,
    ) -> None:
        super().__init__(options=options, clock=clock, gate=gate, results=results, identifiers=identifiers)
        self._ledger = ledger
        self._tasks = tasks
        self._files = files
        self._cancelled: set[str] = set()

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""
        return [
            web.post(f"{prefix}/v1/responses", self._submit),
            web.get(f"{prefix}/v1/responses/{{response_id}}", self._status),
            web.post(f"{prefix}/v1/responses/{{response_id}}/cancel", self._cancel),
            *self._files.routes(prefix),
        ]

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        earlier = Earlier(response=self._check_response, call=self._check_call, file=self._files.find)
        return read_response_order(arrival, earlier)

    def failed_at_once(self) -> None:
        """Failures are seen in the response."""

    async def accept(self, request: web.Request, task: Task) -> web.StreamResponse:
        """The answer to an accepted order: the beginning of a background response, its events, or its end."""
        asked = task.order.response or {}
        if task.order.stream:
            return await self._stream(request, task)
        if asked["background"]:
            return json_answer(await self._describe(task), headers=self._identity())
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        return json_answer(await self._describe(task), headers=self._identity())

    async def _status(self, request: web.Request) -> web.Response:
        task = self._find(request)
        if isinstance(task, web.Response):
            return task
        body = await self._describe(task)
        self._note(request, 200, body["status"])
        return json_answer(body, headers=self._identity())

    async def _cancel(self, request: web.Request) -> web.Response:
        task = self._find(request)
        if isinstance(task, web.Response):
            return task
        if not (task.order.response or {})["background"]:
            return self.refuse(Refusal("Cannot cancel a synchronous response.", code="invalid_value", param="response_id"))
        if self._clock.now() < task.completed_at:
            self._cancelled.add(task.id)
        return json_answer(await self._describe(task), headers=self._identity())

    def _find(self, request: web.Request) -> Task | web.Response:
        """The task that is asked for, or the refusal to speak of it."""
        asked = request.match_info["response_id"]
        if not self._gate.is_welcome(key_of(request)):
            return self.refuse(self.unauthorised())
        task = self._tasks.find(owner_of(key_of(request)), task_id_of(asked), by_client_id=False)
        is_kept = task is not None and task.order.response is not None and self._is_kept(task)
        if task is None or not is_kept or response_id(task) != asked:
            self._note(request, 404, None)
            return self.refuse(Refusal(f"Response with id '{asked}' not found.", status=404))
        return task

    def _is_kept(self, task: Task) -> bool:
        asked = task.order.response or {}
        return bool(asked["store"] or asked["background"])

    def _note(self, request: web.Request, status: int, word: str | None) -> None:
        asked = request.match_info["response_id"]
        self._ledger.polls.append(Poll(at=self._clock.now(), task_id=asked, http_status=status, status=word))

    def _check_response(self, name: str) -> None:
        task = self._tasks.get(task_id_of(name))
        if task is None or task.order.response is None or response_id(task) != name or not task.order.response["store"]:
            message = f"Previous response with id '{name}' not found."
            raise complaint(message, param="previous_response_id", code="previous_response_not_found")

    def _check_call(self, name: str) -> None:
        task = self._tasks.get(task_id_of(name))
        if task is None or task.order.response is None or call_id(task) != name:
            raise complaint(f"Item with id '{name}' not found.", param="input", code="invalid_value")

    async def _describe(self, task: Task) -> dict[str, Any]:
        status, ending = self._standing(task)
        drew = status == "completed" and ending is None
        picture = await encoded(task.pictures(self._options.image_side)[0]) if drew else None
        return describe(task, status, result=picture, ending=ending, now=task.completed_at)

    def _standing(self, task: Task) -> tuple[str, str | None]:
        """The status word, and why there is no picture at the end."""
        now = self._clock.now()
        if task.id in self._cancelled:
            return "cancelled", None
        if now < task.completed_at:
            return ("queued" if now - task.accepted_at < task.duration / 2 else "in_progress"), None
        if task.fails:
            return "failed", None
        if _names(self._options.incomplete_containing, task):
            return "incomplete", None
        ending = "refused" if _names(self._options.refuse_containing, task) else None
        return "completed", ending or ("text" if _names(self._options.talk_containing, task) else None)

    async def _stream(self, request: web.Request, task: Task) -> web.StreamResponse:
        stream = await EventStream.begin(request, self._identity())
        count, order = 0, task.order

        async def send(kind: str, data: Mapping[str, Any]) -> None:
            nonlocal count
            await stream.send(kind, {**data, "sequence_number": count})
            count += 1

        begun = describe(task, "in_progress", result=None, ending=None, now=self._clock.now())
        for kind in ("response.created", "response.in_progress"):
            await send(kind, {"response": begun | {"output": []}})
        place = {"output_index": 0, "item_id": call_id(task)}
        await send("response.output_item.added", {"output_index": 0, "item": image_call(task, "in_progress", None)})
        await send("response.image_generation_call.generating", place)
        step = max(0.0, task.completed_at - self._clock.now()) / (order.partial_images + 1)
        picture = task.pictures(self._options.image_side)[0]
        for number in range(order.partial_images):
            await self._clock.sleep(step)
            data = {"partial_image_index": number, "partial_image_b64": await encoded(rough(picture, number))}
            await send("response.image_generation_call.partial_image", place | data)
        if self._options.cut_stream == "before":
            stream.break_off()
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        body = await self._describe(task)
        for index, item in enumerate(body["output"]):
            await send("response.output_item.done", {"output_index": index, "item": item})
        if self._options.cut_stream == "after":
            stream.break_off()
        await send(f"response.{body['status']}", {"response": body})
        return await stream.end()


def _names(text: str | None, task: Task) -> bool:
    return text is not None and text in task.order.prompt

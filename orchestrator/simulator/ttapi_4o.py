"""TTAPI's image jobs (providers.md 2.4): submit, and fetch until they end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.arrival import read_arrival
from orchestrator.simulator.fields import Fields
from orchestrator.simulator.ledger import Poll, Reference
from orchestrator.simulator.orders import Order
from orchestrator.simulator.owner import key_of, owner_of
from orchestrator.simulator.refusal import Refusal
from orchestrator.simulator.ttapi import TtapiWays

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.gate import Gate
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task
    from orchestrator.simulator.results import ResultFiles
    from orchestrator.simulator.tasks import TaskBook

__all__ = ["TtapiJobs", "TtapiNewerJobs"]

HTTP_URL = re.compile(r"https?://\S+")
LONGEST_PROMPT = 32_000
FIELDS = ("prompt", "referImages", "hookUrl")
MODELS = ("gpt-4o-image", "gpt-image-1", "gpt-image-1.5", "gpt-image-2", "gpt-image-2-plus")
RATIOS = ("1:1", "3:4", "4:3", "16:9", "9:16")
PIXELS = re.compile(r"[1-9]\d{2,3}x[1-9]\d{2,3}")


class TtapiJobs(TtapiWays):
    """The server side of the 4o jobs."""

    endpoint = "4o-image"
    places: tuple[str, ...] = ("/openai/4o-image", "/openai/v1/4o-image")

    def __init__(
        self, *, options: SimulatorOptions, clock: Clock, ledger: Ledger, gate: Gate, tasks: TaskBook, results: ResultFiles
    ) -> None:
        self._options = options
        self._clock = clock
        self._ledger = ledger
        self._gate = gate
        self._tasks = tasks
        self._results = results

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Every documented path, and both methods of the fetch."""
        return [
            route
            for place in self.places
            for route in (
                web.post(f"{prefix}{place}/generations", self._submit),
                web.get(f"{prefix}{place}/fetch", self._fetch),
                web.post(f"{prefix}{place}/fetch", self._fetch),
            )
        ]

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        return await self._gate.submit(request, self)

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        try:
            return self._order(_fields(arrival))
        except Refusal as refusal:
            raise self._softened(refusal) from None

    def _order(self, fields: Fields) -> Order:
        fields.refuse_unknown(FIELDS)
        return _order(fields, MODELS[0])

    async def accept(self, request: web.Request, task: Task) -> web.Response:  # noqa: ARG002 -- others need the request
        """The answer to a submission: its SUCCESS means no more than that there is a job."""
        return json_answer({"status": "SUCCESS", "message": "success", "data": {self._options.job_id_name: task.id}})

    async def _fetch(self, request: web.Request) -> web.Response:
        asked = request.query.get("jobId") or ((await read_arrival(request)).json or {}).get("jobId")
        if not self._gate.is_welcome(key_of(request)):
            return self._note(str(asked), self.refuse(self.unauthorised()))
        if not isinstance(asked, str):
            return self._note("", self.refuse(Refusal("jobId is required.")))
        task = self._tasks.find(owner_of(key_of(request)), asked, by_client_id=False)
        if task is None or task.provider != self.provider:
            return self._note(asked, self.refuse(Refusal("Job not found.", status=404)))
        body = self._describe(request, task)
        return self._note(asked, json_answer(body), body["status"])

    def _note(self, asked: str, answer: web.Response, word: str | None = None) -> web.Response:
        self._ledger.polls.append(Poll(at=self._clock.now(), task_id=asked, http_status=answer.status, status=word))
        return answer

    def _describe(self, request: web.Request, task: Task) -> dict[str, Any]:
        """A job as the fetch shows it."""
        stuck = self._options.stuck_containing
        if self._clock.now() < task.completed_at or (stuck is not None and stuck in task.order.prompt):
            return self._job(task, "ON_QUEUE", message=None, quota=self._options.quota)
        ended = datetime.fromtimestamp(task.completed_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if task.fails:
            message = "" if self._options.empty_messages else "job failed"
            return self._job(task, "FAILED", message=message, quota="0", finishTime=ended)
        url = None if self._options.image_missing else self._results.urls(request, task)[0]
        return self._job(task, "SUCCESS", message="success", quota=self._options.quota, finishTime=ended, imageUrl=url)

    def _job(self, task: Task, status: str, *, message: str | None, **data: str | None) -> dict[str, Any]:
        told = {
            "prompt": task.order.prompt,
            "referImages": [reference.url for reference in task.order.references],
            "imageUrl": None,
            "quota": None,
            "finishTime": None,
            "hookUrl": task.order.callback_url,
        }
        return {"status": status, "message": message, "jobId": task.id, "data": told | data}

    def failed_at_once(self) -> None:
        """Failures are seen when the job is fetched."""


class TtapiNewerJobs(TtapiJobs):
    """The newer endpoint, which takes several models and, for two of them, a shape or pixels."""

    endpoint = "gpt"
    places = ("/openai/gpt",)

    def _order(self, fields: Fields) -> Order:
        fields.refuse_unknown((*FIELDS, "model", "aspect_ratio", "size"))
        model = fields.choice("model", MODELS, default="gpt-image-2")
        if "aspect_ratio" in fields and model != "gpt-image-2":
            raise _complaint("aspect_ratio is for gpt-image-2 only.", param="aspect_ratio", code="")
        if "size" in fields and model != "gpt-image-2-plus":
            raise _complaint("size is for gpt-image-2-plus only.", param="size", code="")
        fields.choice("aspect_ratio", RATIOS, default="1:1")
        if not PIXELS.fullmatch(fields.text("size", default="1024x1024")):
            raise _complaint("size must be WIDTHxHEIGHT.", param="size", code="")
        return _order(fields, model)


def _fields(arrival: Arrival) -> Fields:
    if arrival.json is None:
        raise Refusal(arrival.problem or "The body is not JSON.")
    return Fields(arrival.json, _complaint)


def _order(fields: Fields, model: str) -> Order:
    return Order(
        model=model,
        prompt=fields.prompt(LONGEST_PROMPT),
        references=_references(fields.raw("referImages")),
        callback_url=fields.text("hookUrl", default="") if "hookUrl" in fields else None,
    )


def _references(listed: Any) -> tuple[Reference, ...]:  # noqa: ANN401 -- whatever JSON the client sent
    urls = [] if listed is None else listed
    if not isinstance(urls, list) or not all(isinstance(url, str) and HTTP_URL.fullmatch(url) for url in urls):
        raise _complaint("referImages must be an array of URLs.", param="referImages", code="")
    return tuple(Reference(field="referImages", kind="url", url=url) for url in urls)


def _complaint(message: str, *, param: str, code: str) -> Refusal:  # noqa: ARG001 -- TTAPI's envelope has no codes
    return Refusal(message, param=param)

"""OpenAI's image endpoints (providers.md 5.1 to 5.4): generations and edits, answered within the request."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.drawing import render
from orchestrator.simulator.openai_fields import family_of, read_edit, read_generation
from orchestrator.simulator.openai_pictures import no_such_file
from orchestrator.simulator.openai_streaming import stream_pictures
from orchestrator.simulator.openai_usage import usage
from orchestrator.simulator.owner import key_of
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from random import Random

    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.gate import Gate
    from orchestrator.simulator.openai_pictures import FindFile
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Order, Task
    from orchestrator.simulator.results import ResultFiles

__all__ = ["OpenAiEdits", "OpenAiGenerations"]

MODELS = {
    "gpt-image-1.5": "2026-12-01",
    "gpt-image-2": None,
    "gpt-image-2.5-flare": None,
    "gpt-image-2.5-sunburst": None,
    "gpt-image-2.6-flare": None,
    "gpt-image-2.6-sunburst": None,
}
"""What GET /v1/models lists, with the day of shutdown (providers.md 0.3)."""
INTERNAL_CODES = {503: "server_is_overloaded"}


class OpenAiGenerations:
    """The server side of api.openai.com for new pictures, and of relays that speak the same."""

    provider = "openai"
    endpoint = "images/generations"

    def __init__(self, *, options: SimulatorOptions, clock: Clock, gate: Gate, results: ResultFiles, identifiers: Random) -> None:
        self._options = options
        self._clock = clock
        self._gate = gate
        self._results = results
        self._identifiers = identifiers

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""
        return [
            web.post(f"{prefix}/v1/{self.endpoint}", self._submit),
            web.get(f"{prefix}/v1/models", self._models),
        ]

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        return await self._gate.submit(request, self)

    async def _models(self, request: web.Request) -> web.Response:
        if not self._gate.is_welcome(key_of(request)):
            return self.refuse(self.unauthorised())
        models = [
            {"id": model, "object": "model", "created": 1_776_729_600, "owned_by": "system", "shutdown_date": day}
            for model, day in MODELS.items()
        ]
        return json_answer({"object": "list", "data": models}, headers=self._identity())

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        return read_generation(arrival, delivery=self._options.result)

    async def accept(self, request: web.Request, task: Task) -> web.StreamResponse:
        """Wait for the pictures and send them, or their URLs; or send them in events as they come."""
        if task.order.stream:
            return await stream_pictures(
                request, task, endpoint=self.endpoint, options=self._options, clock=self._clock, headers=self._identity()
            )
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        body: dict[str, Any] = {"created": int(self._clock.now()), "data": await self._data(request, task)}
        order, family = task.order, family_of(task.order.model)
        if not family.startswith("dall-e"):
            echo = {"background": order.background, "output_format": order.format}
            body |= echo | {"quality": order.quality, "size": order.size, "usage": usage(order, family)}
        return json_answer(body, headers=self._identity())

    async def _data(self, request: web.Request, task: Task) -> list[dict[str, str]]:
        if task.order.delivery == "url":
            items = [{"url": url} for url in self._results.urls(request, task)]
        else:
            pictures = [await render(picture) for picture in task.pictures(self._options.image_side)]
            items = [{"b64_json": base64.b64encode(content).decode()} for content in pictures]
        if family_of(task.order.model) == "dall-e-3":
            return [{"revised_prompt": f"A detailed picture: {task.order.prompt}"} | item for item in items]
        return items

    def unauthorised(self) -> Refusal:
        """401."""
        return Refusal("Incorrect API key provided.", status=401, code="invalid_api_key", outcome="unauthorised")

    def throttled(self) -> Refusal:
        """429 of the kind that passes."""
        return Refusal(
            "Rate limit reached.",
            status=429,
            code="rate_limit_exceeded",
            kind="requests",
            outcome="throttled",
        )

    def out_of_quota(self) -> Refusal:
        """429 of the kind that stays."""
        return Refusal("You exceeded your current quota.", status=429, code="credit_balance_exhausted", kind="insufficient_quota")

    def broken(self, status: int) -> Refusal:
        """5xx."""
        code = INTERNAL_CODES.get(status)
        return Refusal("The server had an error.", status=status, code=code, kind="server_error", outcome="error")

    def failed_at_once(self) -> Refusal | None:
        """A blocked prompt is refused within the request."""
        details = {"moderation_details": {"moderation_stage": "input", "categories": ["violence"]}}
        return Refusal(
            "Your request was rejected by the safety system.",
            code="moderation_blocked",
            kind="image_generation_user_error",
            details=details,
        )

    def pace_headers(self, limit: int, remaining: int, reset: float) -> dict[str, str]:
        """The headers of providers.md 5.2; the reset is a Go-like duration."""
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(remaining),
            "x-ratelimit-reset-requests": f"{round(reset * 1000)}ms",
        }

    def refuse(self, refusal: Refusal) -> web.Response:
        """The error body of providers.md 5.1."""
        error = {
            "message": refusal.message,
            "type": refusal.kind,
            "param": refusal.param,
            "code": refusal.code,
            **refusal.details,
        }
        return json_answer({"error": error}, status=refusal.status, headers=refusal.headers | self._identity())

    def _identity(self) -> dict[str, str]:
        return {"x-request-id": f"req_{self._identifiers.randbytes(16).hex()}"}


class OpenAiEdits(OpenAiGenerations):
    """The same for edits, which also come as forms with files."""

    endpoint = "images/edits"

    def __init__(
        self,
        *,
        options: SimulatorOptions,
        clock: Clock,
        gate: Gate,
        results: ResultFiles,
        identifiers: Random,
        find_file: FindFile = no_such_file,
    ) -> None:
        super().__init__(options=options, clock=clock, gate=gate, results=results, identifiers=identifiers)
        self._find_file = find_file

    def judge(self, arrival: Arrival) -> Order:
        """Check every field and picture; raises Refusal."""
        return read_edit(arrival, delivery=self._options.result, find_file=self._find_file)

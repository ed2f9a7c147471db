"""TTAPI's gateway (providers.md 2): OpenAI's image endpoints under another key header, with errors in TTAPI's envelope."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.openai_images import OpenAiEdits, OpenAiGenerations
from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Order, Task

__all__ = ["IDS", "TtapiDallE3", "TtapiEdits", "TtapiGenerations", "TtapiWays"]

IDS = ("ttapi", "ttapi-images", "ttapi-edits", "ttapi-dalle3", "ttapi-4o")
HTML_ERROR = "<!doctype html><html><head><title>504 Gateway Time-out</title></head><body>cloudflare</body></html>"
DALL_E_3 = "dall-e-3"
SERVER_ERRORS = range(500, 600)
KEY_LIFE = 6 * 86_400.0
"""Seconds by which the signing key of the documents' link outlives the link (providers.md 2.3)."""


class TtapiWays:
    """What all of TTAPI's endpoints have in common."""

    provider = "ttapi"
    _options: SimulatorOptions

    def unauthorised(self) -> Refusal:
        """401, with the documents' own words."""
        return Refusal("Wrong TT-API-KEY or email is not activated.", status=401, outcome="unauthorised")

    def throttled(self) -> Refusal:
        """429 or, for a full queue, 499."""
        return Refusal("The queue is exhausted.", status=self._options.throttle_status, outcome="throttled")

    def out_of_quota(self) -> Refusal:
        """402."""
        return Refusal("Insufficient balance.", status=402)

    def broken(self, status: int) -> Refusal:
        """5xx."""
        return Refusal("Server error.", status=status, outcome="error")

    def pace_headers(self, limit: int, remaining: int, reset: float) -> dict[str, str]:  # noqa: ARG002 -- others tell
        """No document shows any."""
        return {}

    def refuse(self, refusal: Refusal) -> web.Response:
        """The envelope, or what the options put in its place."""
        if self._options.html_errors and refusal.status in SERVER_ERRORS:
            return web.Response(status=refusal.status, text=HTML_ERROR, content_type="text/html", headers=refusal.headers)
        message = "" if self._options.empty_messages else refusal.message
        body: dict[str, Any] = {"status": "FAILED", "message": message, "data": None}
        if self._options.error_form == "openai":
            body = {"error": {"message": message, "type": refusal.kind, "param": refusal.param, "code": refusal.code}}
        return json_answer(body, status=refusal.status, headers=refusal.headers)

    def _softened(self, refusal: Refusal) -> Refusal:
        """A refusal of a field, with status 200 where the options want that."""
        if self._options.refused_with_200:
            refusal.status = 200
        return refusal


class TtapiGenerations(TtapiWays, OpenAiGenerations):
    """New pictures."""

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""
        return [web.post(f"{prefix}/v1/{self.endpoint}", self._submit)]

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        try:
            return super().judge(arrival)
        except Refusal as refusal:
            raise self._softened(refusal) from None


class TtapiEdits(TtapiWays, OpenAiEdits):
    """Edits, as forms and as JSON."""

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""
        return [web.post(f"{prefix}/v1/{self.endpoint}", self._submit)]

    def judge(self, arrival: Arrival) -> Order:
        """Check every field and picture; raises Refusal."""
        try:
            return super().judge(arrival)
        except Refusal as refusal:
            raise self._softened(refusal) from None


class TtapiDallE3(TtapiGenerations):
    """The older endpoint for DALL-E 3: its answer stands in the envelope, its links are signed (providers.md 2.3)."""

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Its path; without a prefix it would hide OpenAI's, so there it is served only when TTAPI was chosen."""
        if not prefix and self._options.provider not in IDS:
            return []
        return [web.post(f"{prefix}/openai/v1/{self.endpoint}", self._submit)]

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        values: Mapping[str, Any] = arrival.json or {}
        if values.get("model", DALL_E_3) != DALL_E_3:
            raise self._softened(Refusal(f"Only {DALL_E_3} is supported."))
        if values.get("size") not in ("1024x1024", "1792x1024", "1024x1792"):
            sizes = "1024x1024, 1792x1024, or 1024x1792"
            raise self._softened(Refusal(f'For the {DALL_E_3} model, "size" must be one of {sizes}.'))
        return super().judge(replace(arrival, json={**values, "model": DALL_E_3}))

    async def accept(self, request: web.Request, task: Task) -> web.Response:
        """The picture's link, within the envelope."""
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        deadline = self._results.expires_at(task)
        items = [item | {"url": f"{item['url']}?{_signature(deadline)}"} for item in await self._data(request, task)]
        data = {"created": int(self._clock.now()), "data": items}
        return json_answer({"status": "SUCCESS", "message": "success", "data": data})


def _signature(deadline: float) -> str:
    """The query of an Azure link: `se` is its end, `ske` that of the key it was signed with."""
    ends = {name: datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for name, end in _ends(deadline).items()}
    return urlencode({**ends, "sig": "c2lnbmVk", "sp": "r", "sr": "b"})


def _ends(deadline: float) -> dict[str, float]:
    return {"se": deadline, "ske": deadline + KEY_LIFE}

"""Calls to the client when a task ends (providers.md 1.6, 2.4, 5.7), and all that becomes of calls on their way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from orchestrator.simulator.ledger import Call
from orchestrator.simulator.openai_responses_body import response_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.faults import Chance
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task

__all__ = ["NAMED_IN_A_CALL", "Callbacks"]

NAMED_IN_A_CALL = "https://results.example.com/named-in-a-call.png"
"""The result as a call has it: a client that downloads this has believed a call."""
NEAR = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are called: a rehearsal reaches nobody beyond this machine."""
PATIENCE = 10.0
"""Seconds within which a call must be answered (providers.md 1.6)."""
MOST_TRIES = 50


class Callbacks:
    """Calls back for every task whose order, or whose project, names a URL."""

    def __init__(self, options: SimulatorOptions, clock: Clock, chance: Chance, ledger: Ledger) -> None:
        self._options, self._clock, self._chance, self._ledger = options, clock, chance, ledger
        self._calling: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def expect(self, task: Task) -> None:
        """Begin to wait for the end of a task that was just accepted."""
        background = (task.order.response or {}).get("background")
        url = task.order.callback_url or (self._options.webhook_url if background or task.provider == "toapis" else None)
        if not url or urlsplit(url).hostname not in NEAR or self._chance.happens("lost call", self._options.lost_call_rate):
            return
        calling = asyncio.get_running_loop().create_task(self._call(task, url))
        self._calling.add(calling)
        calling.add_done_callback(self._calling.discard)

    async def stop(self) -> None:
        """Call nobody any more."""
        for calling in list(self._calling):
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling
        if self._session is not None:
            await self._session.close()

    async def _call(self, task: Task, url: str) -> None:
        event, body = f"evt_{task.id}", json.dumps(_content(task)).encode()
        scatter = self._options.call_jitter * self._chance.stream("call").random()
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()) + self._options.call_delay + scatter)
        for _ in range(1 + self._options.call_repeats):
            await self._until_heard(task, url, event, body)

    async def _until_heard(self, task: Task, url: str, event: str, body: bytes) -> None:
        for _ in range(MOST_TRIES):
            status = await self._post(url, self._headers(task, event, body), body)
            self._ledger.calls.append(Call(at=self._clock.now(), task_id=task.id, url=url, status=status))
            if self._options.call_again_after is None or (status is not None and status in range(200, 300)):
                return
            await self._clock.sleep(self._options.call_again_after)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _headers(self, task: Task, event: str, body: bytes) -> dict[str, str]:
        headers, secret = {"Content-Type": "application/json"}, self._options.webhook_secret
        if secret is None:
            return headers
        seconds = str(int(self._clock.now()))
        sign = {"toapis": _as_toapis, "openai": _as_standard}.get(task.provider)
        return headers | (sign(secret, event, seconds, body) if sign else {})


def _as_toapis(secret: str, event: str, seconds: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{event}.{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-ToAPIs-Webhook-Id": event,
        "X-ToAPIs-Webhook-Timestamp": seconds,
        "X-ToAPIs-Webhook-Signature": f"v1={digest}",
    }


def _as_standard(secret: str, event: str, seconds: str, body: bytes) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{event}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _content(task: Task) -> dict[str, Any]:
    tell: dict[str, Callable[[Task], dict[str, Any]]] = {"toapis": _of_toapis, "openai": _of_openai}
    return tell.get(task.provider, _of_ttapi)(task)


def _of_toapis(task: Task) -> dict[str, Any]:
    word = "failed" if task.fails else "completed"
    data = {
        "task_id": task.id,
        "client_business_id": task.order.client_business_id,
        "task_type": "image",
        "model": task.order.model,
        "status": word,
        "progress": 0 if task.fails else 100,
        "result": None if task.fails else {"type": "image", "data": [{"url": NAMED_IN_A_CALL}]},
        "error": {"code": "generation_failed", "message": "upstream status 422"} if task.fails else None,
        "submitted_at": int(task.accepted_at),
        "finished_at": int(task.completed_at),
    }
    kind = f"generation.{word}"
    return {"id": f"evt_{task.id}", "type": kind, "api_version": "1", "created_at": int(task.completed_at), "data": data}


def _of_ttapi(task: Task) -> dict[str, Any]:
    data = {
        "prompt": task.order.prompt,
        "referImages": [reference.url for reference in task.order.references],
        "imageUrl": None if task.fails else NAMED_IN_A_CALL,
        "quota": "0" if task.fails else "2",
        "finishTime": "2026-01-01 00:00:00",
        "hookUrl": task.order.callback_url,
    }
    word, message = ("FAILED", "job failed") if task.fails else ("SUCCESS", "success")
    return {"status": word, "message": message, "jobId": task.id, "data": data}


def _of_openai(task: Task) -> dict[str, Any]:
    kind = "response.failed" if task.fails else "response.completed"
    return {
        "id": f"evt_{task.id}",
        "object": "event",
        "type": kind,
        "created_at": int(task.completed_at),
        "data": {"id": response_id(task)},
    }

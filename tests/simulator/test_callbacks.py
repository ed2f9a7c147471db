"""The simulator calls back as the documents say; its signatures are checked with the official library and by hand."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from openai import OpenAI

from orchestrator.simulator import Simulator, SimulatorOptions

KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass
class Listener:
    url: str = ""
    status: int = 200
    heard: list[tuple[web.Request, bytes]] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append((request, await request.read()))
        self.stirred.set()
        return web.Response(status=self.status)

    async def calls(self, number: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            while len(self.heard) < number:
                self.stirred.clear()
                await self.stirred.wait()
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    heard = Listener()
    application = web.Application()
    application.router.add_post("/{path:.*}", heard.hear)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield heard
    await runner.cleanup()


async def order(simulator: Simulator, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(simulator.base_url + path, json=body) as answer:
        return answer.status, await answer.json()


TTAPI, TOAPIS, RESPONSES = "/ttapi/openai/4o-image/generations", "/toapis/v1/images/generations", "/openai/v1/responses"


async def test_a_job_with_a_hook_is_told_of_when_it_ends(listener: Listener) -> None:
    async with Simulator(SimulatorOptions(image_side=8)) as simulator:
        _, accepted = await order(simulator, TTAPI, {"prompt": "draw a kite", "hookUrl": f"{listener.url}/own"})
        call = (await listener.calls(1))[0]
        assert call["jobId"] == accepted["data"]["jobId"]
        assert (call["status"], call["data"]["prompt"]) == ("SUCCESS", "draw a kite")
        assert call["data"]["hookUrl"] == f"{listener.url}/own"
        assert listener.heard[0][0].path == "/own"


async def test_toapis_signs_its_calls_and_takes_urls_only_at_the_configured_host(listener: Listener) -> None:
    options = SimulatorOptions(image_side=8, webhook_secret="s" * 32, webhook_url=f"{listener.url}/default")
    async with Simulator(options) as simulator:
        fields = {"model": "gpt-4o-image", "prompt": "kite", "client_business_id": "c-1"}
        elsewhere = await order(simulator, TOAPIS, fields | {"callback_url": "https://example.com/own"})
        assert elsewhere[0] == 400
        await order(simulator, TOAPIS, fields | {"callback_url": f"{listener.url}/own"})
        await order(simulator, TOAPIS, fields)
        calls = await listener.calls(2)
        assert {request.path for request, _ in listener.heard} == {"/own", "/default"}
        assert {call["data"]["client_business_id"] for call in calls} == {"c-1"}
        for request, body in listener.heard:
            text = f"{request.headers['X-ToAPIs-Webhook-Id']}.{request.headers['X-ToAPIs-Webhook-Timestamp']}.".encode() + body
            expected = hmac.new(b"s" * 32, text, hashlib.sha256).hexdigest()
            assert request.headers["X-ToAPIs-Webhook-Signature"] == f"v1={expected}"


async def test_a_background_response_is_told_of_as_the_official_client_expects(listener: Listener) -> None:
    options = SimulatorOptions(provider="openai", image_side=8, webhook_secret=KEY, webhook_url=f"{listener.url}/hooks")
    async with Simulator(options) as simulator:
        tool = {"type": "image_generation", "model": "gpt-image-2", "size": "1024x1024"}
        body = {"model": "gpt-5.5", "input": "draw a kite", "tools": [tool], "background": True}
        status, response = await order(simulator, RESPONSES, body)
        assert status == 200, response
        await listener.calls(1)
        request, content = listener.heard[0]
        event = OpenAI(api_key="none", webhook_secret=KEY).webhooks.unwrap(content, request.headers)
        assert event.type == "response.completed"
        assert event.data.id == response["id"]


async def test_calls_are_repeated_until_they_are_heard_and_more_often_when_asked_for(listener: Listener) -> None:
    listener.status = 503
    async with Simulator(SimulatorOptions(image_side=8, call_again_after=0.01, call_repeats=2)) as simulator:
        await order(simulator, TTAPI, {"prompt": "draw a kite", "hookUrl": listener.url})
        await listener.calls(3)
        listener.status = 200
        heard = len(listener.heard)
        await listener.calls(heard + 3)
        assert [call.status for call in simulator.ledger.calls[:3]] == [503] * 3


async def test_calls_get_lost_also_when_the_answer_does_and_come_also_then(listener: Listener) -> None:
    async with Simulator(SimulatorOptions(image_side=8, lost_call_rate=0.5, lost_answer_rate=1.0, seed=3)) as simulator:
        for number in range(20):
            with pytest.raises(aiohttp.ClientError):
                await order(simulator, TTAPI, {"prompt": f"draw kite {number}", "hookUrl": listener.url})
        await listener.calls(5)
        assert 5 <= len(listener.heard) <= 15


async def test_a_failed_task_is_told_of_too(listener: Listener) -> None:
    async with Simulator(SimulatorOptions(image_side=8, fail_rate=1.0)) as simulator:
        await order(simulator, TTAPI, {"prompt": "draw a kite", "hookUrl": listener.url})
        assert (await listener.calls(1))[0]["status"] == "FAILED"


async def test_nobody_beyond_this_machine_is_called(listener: Listener) -> None:
    async with Simulator(SimulatorOptions(image_side=8)) as simulator:
        await order(simulator, TTAPI, {"prompt": "draw a kite", "hookUrl": "https://192.0.2.1/own"})
        await order(simulator, TTAPI, {"prompt": "draw a kite", "hookUrl": listener.url})
        await listener.calls(1)
        assert [call.url for call in simulator.ledger.calls] in ([], [listener.url])

"""A simulator, a client session and a clock, put together for one test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from orchestrator.simulator import Ledger, Simulator

START = 1_700_000_000.0


class ManualClock:
    """Time that moves when told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> float:
        return START + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float, /) -> None:
        self.elapsed += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Bench:
    """What a test works with; paths are relative to the simulator's root."""

    simulator: Simulator
    http: ClientSession
    clock: ManualClock

    @property
    def ledger(self) -> Ledger:
        return self.simulator.ledger

    async def post(self, path: str, **request: Any) -> ClientResponse:
        response = await self.http.post(self.simulator.base_url + path, **request)
        await response.read()
        return response

    async def get(self, url: str, **request: Any) -> ClientResponse:
        full = url if url.startswith("http") else self.simulator.base_url + url
        response = await self.http.get(full, **request)
        await response.read()
        return response

    async def order(self, prompt: str = "a red kite", **fields: Any) -> ClientResponse:
        """Submit to toapis."""
        body = {"model": "gpt-4o-image", "prompt": prompt} | fields
        return await self.post("/toapis/v1/images/generations", json=body)

    async def task(self, prompt: str = "a red kite", **fields: Any) -> str:
        """Submit to toapis and hand back the task's id."""
        response = await self.order(prompt, **fields)
        answer: dict[str, Any] = await response.json()
        return str(answer["id"])

    async def status(self, task_id: str) -> dict[str, Any]:
        """Ask toapis for a task."""
        response = await self.get(f"/toapis/v1/images/generations/{task_id}")
        answer: dict[str, Any] = await response.json()
        return answer

    async def result_url(self, task_id: str) -> str:
        """The first result URL of a completed toapis task."""
        status = await self.status(task_id)
        return str(status["result"]["data"][0]["url"])

    async def generate(self, prompt: str = "a red kite", **fields: Any) -> ClientResponse:
        """Ask OpenAI for new pictures."""
        body = {"model": "gpt-image-2", "prompt": prompt} | fields
        return await self.post("/openai/v1/images/generations", json=body)


def picture_file(*, side: int = 64, colour: str = "teal", image_format: str = "PNG") -> bytes:
    """A small real picture."""
    target = BytesIO()
    Image.new("RGBA" if image_format == "PNG" else "RGB", (side, side), colour).save(target, image_format)
    return target.getvalue()

"""What anybody would write who needs the images and no memory: workers over a queue, nothing stored, nothing tried again.

It does the same safety work per job as the program: a connection of its own for the paid POST, the whole image decoded in
another process, hashed, flushed to disk and renamed. So the ratio shows what the memory and the caution cost, not the pixels.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import aiohttp

from orchestrator.results import DecodePool

_BATCH = "bare"


async def order_all(prompts: Sequence[str], url: str, out: Path, slots: int) -> float:
    """Order one image per prompt from the toapis API at `url` into `out/bare`; return the seconds it took."""
    (out / _BATCH).mkdir(parents=True)
    waiting = iter(enumerate(prompts))
    async with (
        DecodePool(patience=0.0) as pool,  # its slots stand in line for the pool and do nothing else meanwhile
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as paid,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as free,
    ):
        loop = Loop(url, out, pool, paid, free)
        began_at = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(slots):
                group.create_task(loop.work(waiting))
        return time.perf_counter() - began_at


class Loop:
    """One worker's errand, over and over."""

    def __init__(self, url: str, out: Path, pool: DecodePool, paid: aiohttp.ClientSession, free: aiohttp.ClientSession) -> None:
        self._tasks_url, self._out, self._pool = f"{url}/v1/images/generations", out, pool
        self._paid, self._free = paid, free

    async def work(self, waiting: "enumerate[str]") -> None:
        """Take the next prompt until there is none."""
        for number, prompt in waiting:
            task = await self._ordered(prompt)
            url = await self._result(task)
            await self._save(f"job-{number}", await self._downloaded(url))

    async def _ordered(self, prompt: str) -> str:
        body = {"model": "gpt-4o-image", "prompt": prompt, "size": "1:1", "n": 1, "client_business_id": uuid4().hex}
        content = json.dumps(body).encode()
        async with self._paid.post(self._tasks_url, data=content, headers={"Content-Type": "application/json"}) as response:
            return str(json.loads(await response.read())["id"])

    async def _result(self, task: str) -> str:
        while True:
            async with self._free.get(f"{self._tasks_url}/{task}") as response:
                answer = json.loads(await response.read())
            if answer["status"] == "completed":
                return str(answer["result"]["data"][0]["url"])

    async def _downloaded(self, url: str) -> bytes:
        async with self._free.get(url) as response:
            return await response.read()

    async def _save(self, name: str, content: bytes) -> None:
        image = [f".{name}.part", name, len(content)]
        await self._pool.run("save_together", content=content, out=str(self._out), batch=_BATCH, images=[image])

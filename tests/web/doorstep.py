"""A site with a store behind it, and callers of every kind before it."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import aiohttp

from orchestrator.engine.receiving import Receiver
from orchestrator.jobs.attempts import Phase
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.secrets import Secret
from orchestrator.jobs.tokens import Mint, hash_of
from orchestrator.providers.registry import Registry
from orchestrator.providers.webhooks import Webhooks
from orchestrator.store.records import Accepted, Job, NewAttempt
from orchestrator.store.store import Store
from orchestrator.web import Calls, Limits, Part, Site
from tests.store.making import LOST, load, new_job, verbs

MINT = Mint(bytes(range(32)))
SIGNING = Secret("0123456789abcdef0123456789abcdef")
QUICK = Limits(until_request=0.5, until_body=0.3, until_stored=0.3)
"""For tests of patience; any other is not to fail because the machine stood still for a moment."""


def never(error: Exception) -> None:
    raise AssertionError("a part of the site failed") from error


@dataclass(kw_only=True)
class Doorstep:
    """A site that takes calls; `keys` are those of the account `studio`."""

    store: Store
    clock: Clock
    keys: Sequence[Secret] = ()
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    parts: Sequence[Part] = ()
    mint: Mint = MINT
    heard: int = 0
    told: list[Counter[str]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        webhooks = Webhooks(Registry(today=lambda: date(2026, 11, 21)), ["toapis", "ttapi", "openai"])
        receiver = Receiver(self.store, webhooks, {"studio": self.keys}, self.mint, self.clock, self._hear)
        self.calls = Calls(receiver, self.limits, self.clock, self.told.append)
        site = Site("127.0.0.1", 0, [self.calls, *self.parts], self.limits, never)
        self.site = await self._stack.enter_async_context(site)
        self.session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def _hear(self) -> None:
        self.heard += 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.site.port}"

    async def call(self, path: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> int:
        """Call as an API does, and return the status."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url + path, data=content, headers=headers) as response:
            return response.status

    async def raw(self, text: bytes, *, patience: float = 5.0) -> bytes:
        """Send bytes and return everything that comes until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
        try:
            writer.write(text)
            return await asyncio.wait_for(reader.read(), patience)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def noted(self) -> list[tuple[str, str]]:
        """Return attempt and task of every call that was kept and not yet looked into."""
        batches = [batch.id for batch in await self.store.batches()]
        return [(call.attempt_id, call.remote_id) for call in await self.store.callbacks.waiting(batches, limit=100)]


async def jobs_in_doubt(store: Store, count: int = 1, provider: str = "ttapi-4o", mint: Mint = MINT) -> list[Job]:
    """Return jobs whose attempts have tokens, and whose answers were lost."""
    loaded = await load(store, *(new_job(position, provider=provider) for position in range(count)))
    found: list[Job] = []
    for job in await store.candidates(account="studio", batches=[loaded.batch_id], only=None, limit=count):
        attempt = f"{len(found):032x}"
        token_hash = hash_of(mint.callback(attempt))
        claimed = await verbs(store).claim(job, NewAttempt(id=attempt, token_hash=token_hash, worker="test"))
        found.append(await verbs(store).doubt(claimed, LOST, Phase.SENT, next_at=None))
    return found


async def running(store: Store, job: Job, remote_id: str) -> Job:
    """Give a job in doubt its task."""
    return await verbs(store).accept(job, Accepted(remote_id=remote_id, http_status=200))


def path_of(job: Job, mint: Mint = MINT) -> str:
    """Return the path of a job's attempt."""
    return f"/hooks/{job.spec.provider}/{mint.callback(str(job.attempt_id))}"


def hook(remote_id: str = "job-0001", **data: Any) -> dict[str, Any]:
    """Return what TTAPI sends (providers.md 2.4)."""
    told = {"prompt": "p", "referImages": [], "imageUrl": "http://127.0.0.1:1/canary.png", "quota": "2", "hookUrl": "x", **data}
    return {"status": "SUCCESS", "message": "success", "jobId": remote_id, "data": told}

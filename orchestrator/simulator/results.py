"""Result files behind URLs that live only so long."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.simulator.answers import origin
from orchestrator.simulator.drawing import render
from orchestrator.simulator.ledger import Download
from orchestrator.simulator.pace import Line

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.faults import Chance
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task
    from orchestrator.simulator.tasks import TaskBook

__all__ = ["ResultFiles"]

URL_LIFE = {"toapis": 86_400.0, "openai": 3_600.0, "ttapi": 3_600.0, "gpt-image-2": 3_600.0, "chat": 3_600.0}
"""Seconds a result URL works: providers.md 1.4, and 2.1 for dall-e; nobody says it of the others."""
SIGNING_KEY = b"the simulator's own, known to everybody"
TOKEN = re.compile(r"(?P<task>\w+)-(?P<index>\d+)-(?P<deadline>\d+)-(?P<serial>\d+)-(?P<signature>[0-9a-f]{16})")
HTML_PAGE = "<!doctype html><title>502 Bad Gateway</title><p>The file server is taking a short rest."


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The validity of a task's present URLs: until `deadline` (wall time, seconds), unless `revoked` earlier."""

    deadline: float
    serial: int = 0
    revoked: bool = False


class ResultFiles:
    """Signs URLs and serves them; everything needed stands in the URL, so they outlive a restart."""

    def __init__(self, *, options: SimulatorOptions, clock: Clock, chance: Chance, ledger: Ledger, tasks: TaskBook) -> None:
        self._options = options
        self._clock = clock
        self._chance = chance
        self._ledger = ledger
        self._tasks = tasks
        self._line = Line(per_second=options.download_rate, clock=clock)
        self._leases: dict[str, Lease] = {}
        self._once_expired: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Where the files lie."""
        return [web.get("/files/{name}", self.serve)]

    def urls(self, request: web.Request, task: Task) -> list[str]:
        """The task's result URLs; new ones if the old have expired and the options allow it."""
        lease = self._valid_lease(task)
        base = f"{origin(request)}/files"
        return [f"{base}/{_token(task, index, lease)}.{task.order.format}" for index in range(task.order.n)]

    def expires_at(self, task: Task) -> int:
        """When the present URLs stop working, unix seconds."""
        return int(self._lease(task).deadline)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One download: the file, or one of the things that go wrong instead."""
        token = TOKEN.match(request.match_info["name"])
        task = self._tasks.get(token["task"]) if token else None
        if token is None or task is None or int(token["index"]) >= task.order.n:
            return self._note(request, None, web.Response(status=404, text="No such file."))
        if not self._is_open(task, token):
            status = self._options.expired_status
            return self._note(request, task, web.Response(status=status, text="This link has expired."))
        await self._clock.sleep(self._options.download_delay + self._line.wait())
        return await self._deliver(request, task, int(token["index"]))

    async def _deliver(self, request: web.Request, task: Task, index: int) -> web.StreamResponse:
        if self._chance.happens("html download", self._options.html_download_rate):
            return self._note(request, task, web.Response(text=HTML_PAGE, content_type="text/html"))
        truncated = self._chance.happens("truncate download", self._options.truncate_download_rate)
        content = await render(task.pictures(self._options.image_side)[index])
        answer = web.Response(body=content, content_type=f"image/{task.order.format}")
        self._note(request, task, answer)
        return await _send_half(request, content) if truncated else answer

    def _lease(self, task: Task) -> Lease:
        first = task.completed_at + self._life(task)
        return self._leases.get(task.id, Lease(deadline=first))

    def _valid_lease(self, task: Task) -> Lease:
        lease, now = self._lease(task), self._clock.now()
        if self._options.refetch_renews and (lease.revoked or now >= lease.deadline):
            lease = Lease(deadline=now + self._life(task), serial=lease.serial + 1)
            self._leases[task.id] = lease
        return lease

    def _life(self, task: Task) -> float:
        life = self._options.url_life
        return URL_LIFE[task.provider] if life is None else life

    def _is_open(self, task: Task, token: re.Match[str]) -> bool:
        """Whether a URL still works; with `expired_download` the first try ends the lease."""
        lease = self._lease(task)
        if self._options.expired_download and task.id not in self._once_expired:
            self._once_expired.add(task.id)
            self._leases[task.id] = lease = replace(lease, revoked=True)
        is_revoked = lease.revoked and int(token["serial"]) == lease.serial
        genuine = Lease(deadline=int(token["deadline"]) / 1000, serial=int(token["serial"]))
        is_signed = hmac.compare_digest(token[0], _token(task, int(token["index"]), genuine))
        return is_signed and not is_revoked and self._clock.now() < genuine.deadline

    def _note(self, request: web.Request, task: Task | None, answer: web.Response) -> web.Response:
        now = self._clock.now()
        age = now - task.completed_at if task else None
        self._ledger.downloads.append(Download(at=now, path=request.path, status=answer.status, age=age))
        return answer


def _token(task: Task, index: int, lease: Lease) -> str:
    promise = f"{task.id}-{index}-{round(lease.deadline * 1000)}-{lease.serial}"
    return f"{promise}-{hmac.digest(SIGNING_KEY, promise.encode(), hashlib.sha256).hex()[:16]}"


async def _send_half(request: web.Request, content: bytes) -> web.StreamResponse:
    """Promise the whole length, send half, and close the connection."""
    answer = web.StreamResponse(headers={"Content-Length": str(len(content)), "Content-Type": "image/png"})
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return answer

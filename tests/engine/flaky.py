"""A gateway before the simulator that spoils free questions: what it is asked for a task it answers badly at first."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

Spoil = Callable[[web.Request], web.StreamResponse]


def status(code: int) -> Spoil:
    """Answer with an HTTP status."""
    return lambda _request: web.Response(status=code, text="upstream says no")


def rubbish(_request: web.Request) -> web.StreamResponse:
    """Answer with a page where JSON belongs."""
    return web.Response(text="<html>please wait</html>", content_type="text/html")


def cut(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class FlakyPolls:
    """Hands everything on to `upstream`, but spoils the first `times` questions for each task; one client at a time."""

    def __init__(self, upstream: str, spoil: Spoil, *, times: int) -> None:
        self._upstream, self._spoil, self._times = upstream, spoil, times
        self._asked: Counter[str] = Counter()
        self.spoilt = 0
        self.base_url = ""

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._asked[request.path] += request.method == "GET"
        if request.method == "GET" and self._asked[request.path] <= self._times:
            self.spoilt += 1
            return self._spoil(request)
        kept = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        target = self._upstream + request.path
        async with self._client.request(request.method, target, data=await request.read(), headers=kept) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

"""The one application: parts bring their routes, and nothing that a caller sends gets past its limits to any of them."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self

from aiohttp import http_parser, web
from aiohttp.typedefs import Handler

from orchestrator.web.limits import Limits
from orchestrator.web.line import Line

Failed = Callable[[Exception], None]
"""Hears of an error in a part, which the caller only sees as 500."""


class Unserved(Exception):
    """The site cannot begin to serve."""


class Part(Protocol):
    """Something that is served: calls, references, figures; later a dashboard."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths it answers."""


class Site:
    """Listens from entering to leaving; raises `Unserved` where it cannot."""

    def __init__(self, host: str, port: int, parts: Sequence[Part], limits: Limits, failed: Failed) -> None:
        self._host, self._port, self._parts, self._limits, self._failed = host, port, parts, limits, failed
        self.port = port
        """Where it listens, once it does; of interest where any free port was asked for."""

    async def __aenter__(self) -> Self:
        _demand_fast_parser()
        application = web.Application(client_max_size=self._limits.body, middlewares=[self._attended])
        for part in self._parts:
            application.add_routes(part.routes())
        application.router.add_route("*", "/{anything:.*}", _nothing)
        application.on_response_prepare.append(_keep_quiet)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        manager = self._runner.server
        if manager is None:
            raise Unserved("the site was closed before it began")
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                lambda: Line(manager, self._limits), self._host, self._port, backlog=self._limits.connections
            )
        except OSError as error:
            await self._runner.cleanup()
            where = f"{self._host}:{self._port}"
            raise Unserved(f"cannot listen on {where} ({error.strerror or error}); name another place with --listen") from error
        self.port = int(self._listening.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        await self._runner.cleanup()
        await self._listening.wait_closed()

    @web.middleware
    async def _attended(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        line = request.protocol
        if isinstance(line, Line):
            line.attend()
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=f"{error.status}\n")
        except Exception as error:  # noqa: BLE001 - it belongs to us, not to who called
            self._failed(error)
            return web.Response(status=500, text="500\n")
        finally:
            if isinstance(line, Line):
                line.wait()


def not_found() -> web.Response:
    """Return what is said of every path that is not there, a wrong token's as well."""
    return web.Response(status=404, text="404\n")


async def _nothing(_request: web.Request) -> web.StreamResponse:
    return not_found()


async def _keep_quiet(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


def _demand_fast_parser() -> None:
    """Refuse the parser that is written in Python: it is not the one that is hardened against smuggled requests."""
    if os.environ.get("AIOHTTP_NO_EXTENSIONS") or not hasattr(http_parser, "HttpRequestParserC"):
        raise Unserved("serving needs aiohttp's compiled parser: unset AIOHTTP_NO_EXTENSIONS, or install aiohttp from a wheel")

"""One connection: aiohttp waits for ever for the head of a request, and takes as many connections as come; this does neither."""

import asyncio
import logging
from typing import Any, cast

from aiohttp import web

from orchestrator.web.limits import Limits

_MUTE = logging.getLogger("orchestrator.web")
_MUTE.disabled = True
"""What strangers send is counted, not logged line by line; what fails in our own parts is told by the site."""


class Line(web.RequestHandler):
    """A connection that is closed when no request comes, and refused when there are too many."""

    def __init__(self, manager: web.Server, limits: Limits) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=cast("Any", None),
            logger=_MUTE,
            keepalive_timeout=limits.until_request,
            max_line_size=limits.header_field,
            max_field_size=limits.header_field,
            lingering_time=0,
            auto_decompress=False,
        )
        self._limits, self._server = limits, manager
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless there are too many."""
        if len(self._server.connections) >= self._limits.connections:
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(transport)
        self.wait()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.attend()
        super().connection_lost(exc)

    def wait(self) -> None:
        """Begin to wait for a request."""
        self.attend()
        if self.transport is not None:
            self._deadline = asyncio.get_running_loop().call_later(self._limits.until_request, self.transport.abort)

    def attend(self) -> None:
        """Stop waiting: a request has come."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what is no HTTP, without a word about us or about what was sent."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun already") from exc
        answer = web.Response(status=status, text=f"{status}\n", headers={"Server": ""})
        answer.force_close()
        return answer

"""Where APIs fetch reference images that they take by URL only."""

import asyncio
from collections.abc import Iterable
from io import BytesIO

from aiohttp import web

from orchestrator.engine.served import Shelf
from orchestrator.web.limits import Limits
from orchestrator.web.site import not_found

_PIECE = 2**16
_LONGEST_ID = 15


class References:
    """The paths `/references/JOB/TOKEN.EXTENSION`."""

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self._shelf, self._limits = shelf, limits

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the one path."""
        return [web.get("/references/{job}/{name}", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        job, token = request.match_info["job"], request.match_info["name"].partition(".")[0]
        is_number = job.isascii() and job.isdecimal() and len(job) <= _LONGEST_ID
        try:
            file = await self._shelf.find(int(job), token) if is_number else None
        except OSError:
            return web.Response(status=503, text="503\n", headers={"Retry-After": "1"})
        if file is None:
            return not_found()
        headers = {
            "Content-Type": file.content_type,
            "Content-Length": str(len(file.content)),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return await self._sent(request, web.StreamResponse(headers=headers), file.content)

    async def _sent(self, request: web.Request, response: web.StreamResponse, content: bytes) -> web.StreamResponse:
        """Send the whole image here, under a time limit of its own; whoever takes too long, or leaves, gets no more of it."""
        try:
            async with asyncio.timeout(self._limits.until_sent):
                await response.prepare(request)
                stream = BytesIO(content if request.method != "HEAD" else b"")
                while piece := stream.read(_PIECE):
                    await response.write(piece)
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        return response

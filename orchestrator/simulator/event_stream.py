"""An answer in server-sent events, which may break off where the options say so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventStream"]


class EventStream:
    """Sends events one by one. Once broken off, nothing more leaves."""

    def __init__(self, request: web.Request, answer: web.StreamResponse) -> None:
        self._request = request
        self._answer = answer
        self.is_broken = False

    @classmethod
    async def begin(cls, request: web.Request, headers: Mapping[str, str]) -> Self:
        """Send the headers."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", **headers})
        await answer.prepare(request)
        return cls(request, answer)

    async def send(self, kind: str, data: Mapping[str, Any]) -> None:
        """Send one event, named on its own line and in its data."""
        content = json.dumps({"type": kind, **data}, separators=(",", ":"))
        await self._write(f"event: {kind}\ndata: {content}\n\n".encode())

    def break_off(self) -> None:
        """Close the connection after what was sent, without the end that would make the answer whole."""
        if not self.is_broken and self._request.transport is not None:
            self._request.transport.close()
        self.is_broken = True

    async def end(self) -> web.StreamResponse:
        """Send the end marker and the end."""
        await self._write(b"data: [DONE]\n\n")
        if not self.is_broken:
            await self._answer.write_eof()
        return self._answer

    async def _write(self, content: bytes) -> None:
        if self.is_broken:
            return
        try:
            await self._answer.write(content)
        except ConnectionResetError:  # the client has gone, and does not hear the rest
            self.is_broken = True

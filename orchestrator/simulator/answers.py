"""Answers that every simulated provider gives in the same way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["drop_connection", "json_answer", "origin"]


def json_answer(payload: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:  # noqa: ANN401
    """A JSON body, compact."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def drop_connection(request: web.Request) -> web.Response:
    """Close the connection at once; the answer returned has nowhere left to go."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def origin(request: web.Request) -> str:
    """Scheme, host and port as the client knows them, for URLs that lead back here."""
    return f"{request.scheme}://{request.host}"

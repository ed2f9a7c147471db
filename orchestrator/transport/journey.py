"""How far a request got, seen from aiohttp's trace hooks: what tells "not sent" from "perhaps paid"."""

from types import SimpleNamespace
from typing import Any

import aiohttp

from orchestrator.jobs.attempts import Phase


class Journey:
    """One request on its way; `expected` is its body in bytes, None when nobody can know before it is written."""

    def __init__(self, expected: int | None) -> None:
        self.phase = Phase.NONE
        self._expected = expected
        self._handed = 0

    @property
    def body_incomplete(self) -> bool:
        """True when fewer bytes were handed over than the request declares: then the server has fewer, too."""
        return self._expected is not None and self._handed < self._expected

    def connecting(self) -> None:
        """Note that a connection is being made."""
        self.phase = Phase.CONNECTING

    def headers_sent(self) -> None:
        """Note that the first byte may have left."""
        self.phase = Phase.SENT
        # failpoint P2

    def chunk_sent(self, chunk: bytes) -> None:
        """Count a piece of the body that was handed to the system."""
        self._handed += len(chunk)

    def answered(self) -> None:
        """Note that an answer began."""
        self.phase = Phase.ANSWERED


def tracing() -> aiohttp.TraceConfig:
    """Return hooks that keep the `Journey` given as `trace_request_ctx` up to date."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(_connecting)
    config.on_request_headers_sent.append(_headers_sent)
    config.on_request_chunk_sent.append(_chunk_sent)
    return config


async def _connecting(_session: Any, context: SimpleNamespace, _params: Any) -> None:  # noqa: ANN401
    context.trace_request_ctx.connecting()


async def _headers_sent(_session: Any, context: SimpleNamespace, _params: Any) -> None:  # noqa: ANN401
    context.trace_request_ctx.headers_sent()


async def _chunk_sent(_session: Any, context: SimpleNamespace, params: Any) -> None:  # noqa: ANN401
    context.trace_request_ctx.chunk_sent(params.chunk)

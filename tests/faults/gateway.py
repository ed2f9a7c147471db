"""A gateway of plain sockets before the simulator that does to chosen exchanges what real gateways do to them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SUBMIT, POLL, DOWNLOAD = "submit", "poll", "download"
ENDLESS = 10**9


@dataclass(kw_only=True)
class Exchange:
    """One request that came whole, and the way back to who sent it."""

    head: bytes
    body: bytes
    upstream: tuple[str, int]
    writer: asyncio.StreamWriter

    async def forward(self) -> tuple[bytes, bytes]:
        """Return the simulator's answer to it: head and body."""
        reader, writer = await asyncio.open_connection(*self.upstream)
        lines = [line for line in self.head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + self.body)
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return head, body

    def answer(self, head: bytes, body: bytes) -> None:
        """Send an answer as it is."""
        self.writer.write(head + b"\r\n\r\n" + body)

    def abort(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


Spoil = Callable[[Exchange], Awaitable[None]]


def status(code: int, body: str = "upstream says no", **headers: str) -> Spoil:
    """Answer with an HTTP status; the simulator hears nothing."""

    async def spoil(exchange: Exchange) -> None:
        exchange.answer(_head(code, len(body), **headers), body.encode())

    return spoil


def page(code: int = 200) -> Spoil:
    """Hand the request on, and answer with a page of HTML."""

    async def spoil(exchange: Exchange) -> None:
        await exchange.forward()
        text = b"<html><title>please wait</title></html>"
        exchange.answer(_head(code, len(text), content_type="text/html"), text)

    return spoil


async def cut(exchange: Exchange) -> None:
    """Reset the connection; the simulator hears nothing."""
    exchange.abort()


async def cut_after(exchange: Exchange) -> None:
    """Reset the connection when the simulator has done its work."""
    await exchange.forward()
    exchange.abort()


async def half(exchange: Exchange) -> None:
    """Break off in the middle of the simulator's answer."""
    head, body = await exchange.forward()
    exchange.answer(head, body[: len(body) // 2])


async def silence(exchange: Exchange) -> None:
    """Hand the request on and never answer."""
    await exchange.forward()
    with suppress(ConnectionError):
        await exchange.writer.wait_closed()


async def nothing(exchange: Exchange) -> None:
    """Hand the request on and answer 200 without a body."""
    await exchange.forward()
    exchange.answer(_head(200, 0), b"")


async def empty_object(exchange: Exchange) -> None:
    """Hand the request on and answer with JSON that says nothing."""
    await exchange.forward()
    exchange.answer(_head(200, 2, content_type="application/json"), b"{}")


async def mislabelled(exchange: Exchange) -> None:
    """Hand the request on and call the right answer plain text."""
    _, body = await exchange.forward()
    exchange.answer(_head(200, len(body), content_type="text/plain"), body)


async def fair(exchange: Exchange) -> None:
    """Hand everything on."""
    exchange.answer(*await exchange.forward())


class InTurn:
    """Meets the first request for each path with the next of several faults, and hands on all others."""

    def __init__(self, faults: Sequence[Spoil]) -> None:
        self.left = list(faults)
        self._met: set[bytes] = set()

    async def spoil(self, exchange: Exchange) -> None:
        """Do what is next."""
        path = exchange.head.split()[1]
        is_new = path not in self._met and self.left
        self._met.add(path)
        await (self.left.pop(0) if is_new else fair)(exchange)


@dataclass(kw_only=True)
class Gateway:
    """Spoils the first `times` requests of one stage once `skipped` submissions went well, and hands on all others."""

    upstream: str
    stage: str
    spoil: Spoil
    times: int = 1
    skipped: int = 0
    spoilt: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    base_url: str = ""

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}{urlsplit(self.upstream).path}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # whoever asked has gone
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        there = urlsplit(self.upstream)
        upstream = (str(there.hostname), int(there.port or 80))
        stage = _stage(head)
        self.seen[stage] += 1
        is_spoilt = stage == self.stage and self.seen[SUBMIT] > self.skipped and self.spoilt < self.times
        self.spoilt += is_spoilt
        await (self.spoil if is_spoilt else fair)(Exchange(head=head, body=body, upstream=upstream, writer=writer))
        if not writer.is_closing():
            await writer.drain()


def _stage(head: bytes) -> str:
    if head.startswith(b"POST"):
        return SUBMIT
    return DOWNLOAD if b"/files/" in head.split(b"\r\n")[0] else POLL


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _head(code: int, length: int, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} -", f"Content-Length: {length}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode()

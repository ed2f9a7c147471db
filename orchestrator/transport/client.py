"""Sessions apart: one for what costs money, one for free questions. Neither follows redirects, keeps cookies or repeats a POST.

A paid request gets a connection of its own: a reused one that died in the meantime cannot be told from an answer that was
lost, and would put money in doubt for nothing (reliability.md part c).
"""

import io
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Signal
from orchestrator.jobs.secrets import Redactor, Secret
from orchestrator.transport.blotter import Blotter
from orchestrator.transport.journey import Journey, tracing
from orchestrator.transport.messages import Answer, BodySink, Part, Request, Unanswered, Unsent

LARGEST_ANSWER = 256 * 2**20
"""Bytes of a JSON answer at most."""
_CHUNK = 2**16
_USER_AGENT = "orchestrator/0.1"


class Transport:
    """Every request to an API goes through here; `keys` by account name."""

    def __init__(self, keys: Mapping[str, Secret], redact: Redactor) -> None:
        self._keys, self._redact = keys, redact

    async def __aenter__(self) -> Self:
        self._paid = self._session(aiohttp.TCPConnector(limit=0, force_close=True), tracing())
        self._free = self._session(aiohttp.TCPConnector(limit=128, limit_per_host=64))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._paid.close()
        await self._free.close()

    def _session(self, connector: aiohttp.TCPConnector, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            trace_configs=list(traces),
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def pay(self, request: Request, account: AccountSettings, *, within: float, sink: BodySink | None = None) -> Answer:
        """Send a request that may cost money, once, and return its whole answer.

        With a `sink` the answer is durable before it is returned. Raises `Unsent` when it provably never arrived whole, and
        `Unanswered` when it may have been paid for and no whole answer came `within` so many seconds.
        """
        return await self._exchange(self._paid, request, account, within, sink)

    async def ask(self, request: Request, account: AccountSettings, *, within: float, sink: BodySink | None = None) -> Answer:
        """Send a free request and return its answer, through a `sink` where it may be large.

        Raises `Unsent` or `Unanswered`, and both may be tried again.
        """
        return await self._exchange(self._free, request, account, within, sink)

    async def _exchange(
        self, session: aiohttp.ClientSession, request: Request, account: AccountSettings, within: float, sink: BodySink | None
    ) -> Answer:
        body = _body(request)
        # Nobody needs to know how far a free request got, and the trace hooks take their time.
        journey = Journey(expected=body.size if body is not None else 0) if session is self._paid else None
        try:
            async with session.request(
                request.method,
                request.url,
                data=body,
                headers=self._headers(request, account),
                proxy=account.proxy,
                timeout=_timeout(within, account.timeouts.connect),
                allow_redirects=False,
                trace_request_ctx=journey,
            ) as response:
                if journey is not None:
                    journey.answered()
                # failpoint P3
                return await _read(response, sink, Blotter(self._keys.get(account.name)))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._translated(error, journey) from error

    def _headers(self, request: Request, account: AccountSettings) -> dict[str, str]:
        headers = {**account.headers, **request.headers}
        key = self._keys.get(account.name)
        if key is not None:
            name, prefix = request.auth
            headers[name] = prefix + key.reveal()
        return headers

    def _translated(self, error: Exception, journey: Journey | None) -> Unsent | Unanswered:
        reason = self._redact(_described(error))
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return Unsent(Signal.BAD_CERTIFICATE, reason)
        if isinstance(error, _NEVER_CONNECTED):
            return Unsent(Signal.NOT_CONNECTED, reason)
        if journey is not None and journey.phase.value in ("none", "connecting"):
            return Unsent(Signal.NOT_CONNECTED, reason)
        if journey is not None and journey.phase.value == "sent" and journey.body_incomplete:
            return Unsent(Signal.BODY_INCOMPLETE, reason)
        if isinstance(error, TimeoutError):
            return Unanswered(Signal.TIMED_OUT, reason)
        unreadable = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError | AnswerTooLarge)
        return Unanswered(Signal.UNREADABLE if unreadable else Signal.CUT, reason)


class AnswerTooLarge(ValueError):
    """An answer beyond every reasonable size."""


_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


@lru_cache
def _timeout(within: float, connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=within, sock_connect=connect)


def _body(request: Request) -> aiohttp.Payload | None:
    if request.form is not None:
        return _form(request.form, request.boundary)
    if request.json is None:
        return None
    if len(request.json) <= _CHUNK:
        return aiohttp.BytesPayload(request.json, content_type="application/json")
    # Read piece by piece: a large body given as bytes would hold up the event loop, and could not be counted on its way.
    return aiohttp.BytesIOPayload(io.BytesIO(request.json), content_type="application/json")


def _form(parts: tuple[Part, ...], boundary: str | None) -> aiohttp.MultipartWriter:
    """Return the parts as RFC 7578 wants them: plain fields without headers of their own, names as they are (`image[]`)."""
    writer = aiohttp.MultipartWriter("form-data", boundary=boundary)
    for part in parts:
        payload = writer.append(io.BytesIO(part.content))
        del payload.headers["Content-Type"]
        payload.headers.pop("Content-Length", None)
        if part.content_type is not None:
            payload.headers["Content-Type"] = part.content_type
        names = {"name": part.name} if part.filename is None else {"name": part.name, "filename": part.filename}
        payload.set_content_disposition("form-data", quote_fields=False, **names)
    return writer


async def _read(response: aiohttp.ClientResponse, sink: BodySink | None, blotter: Blotter) -> Answer:
    headers = {name.lower(): blotter.header(value) for name, value in response.headers.items()}
    if sink is None:
        sink = _Memory()
    sink.open(response.status, headers)
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise AnswerTooLarge(f"the answer is larger than {LARGEST_ANSWER} bytes")
        sink.write(blotter.take(chunk))
    sink.write(blotter.rest())
    return Answer(status=response.status, headers=headers, body=await sink.finish())


class _Memory:
    """A sink for answers that are small."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note of nothing: the caller has both."""

    def write(self, chunk: bytes) -> None:
        """Keep the bytes."""
        self._chunks.append(chunk)

    async def finish(self) -> bytes:
        """Return what came."""
        return b"".join(self._chunks)


def _described(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer within the time-out"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

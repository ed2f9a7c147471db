"""Where APIs call: cheap questions first, the body only when it may be read, and 200 only when the call is on disk."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from aiohttp import web

from orchestrator.engine.receiving import Message, Verdict
from orchestrator.jobs.clock import Clock
from orchestrator.store.door import Unavailable
from orchestrator.web.buckets import Buckets
from orchestrator.web.limits import Limits
from orchestrator.web.site import not_found

_COME_BACK = 5
"""Seconds after which a caller whom the store could not serve should try again."""
_TOLD_EVERY = 60.0
"""Seconds between two words about calls that were turned away."""
_STATUS = {Verdict.FORGED: 401, Verdict.MALFORMED: 400}


class Receives(Protocol):
    """Who takes calls: `engine.receiving.Receiver`."""

    def is_ours(self, token: str) -> bool:
        """Say whether a token is worth a look into the store."""

    def take(self, message: Message) -> Awaitable[Verdict]:
        """Judge a call and keep it; raises `Unavailable`."""


Told = Callable[[Counter[str]], None]
"""Hears once a minute why calls were turned away, and how many."""


class Calls:
    """The paths `/hooks/PROVIDER/TOKEN` and `/hooks/PROVIDER`."""

    def __init__(self, receiver: Receives, limits: Limits, clock: Clock, told: Told) -> None:
        self._receiver, self._limits, self._clock, self._told = receiver, limits, clock, told
        self._buckets = Buckets(clock, per_source=limits.unknown_per_source, in_all=limits.unknown_in_all)
        self._turned_away: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._keeping: set[asyncio.Task[Verdict]] = set()
        self.answers: Counter[str] = Counter()
        """Calls by what became of them."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the two paths; other methods than POST find nothing there."""
        return [web.post("/hooks/{provider}", self._answer), web.post("/hooks/{provider}/{token}", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        response, why = await self._judged(request)
        self.answers[why] += 1
        if response.status >= web.HTTPBadRequest.status_code:
            self._turn_away(why)
        if not request.content.at_eof():
            response.force_close()  # what was not read must not be taken for the next request
        return response

    async def _judged(self, request: web.Request) -> tuple[web.Response, str]:
        refused = self._by_its_head(request)
        if refused is not None:
            return refused
        token = request.match_info.get("token")
        if token is not None and not self._receiver.is_ours(token) and not self._may_guess(request):
            return _plain(429), "flood"
        body = await self._body(request)
        if body is None:
            return _plain(408), "slow"
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Message(endpoint=request.match_info["provider"], token=token, headers=headers, body=body)
        return self._told_of(request, await self._verdict(message))

    def _told_of(self, request: web.Request, verdict: Verdict | None) -> tuple[web.Response, str]:
        if verdict is None:
            return _plain(503, {"Retry-After": str(_COME_BACK)}), "store_away"
        if verdict is Verdict.FORGED and not self._may_guess(request):
            return _plain(429), "flood"
        return not_found() if verdict is Verdict.UNKNOWN else _plain(_STATUS.get(verdict, 200)), verdict

    def _may_guess(self, request: web.Request) -> bool:
        return self._buckets.take(request.remote or "")

    def _by_its_head(self, request: web.Request) -> tuple[web.Response, str] | None:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return _plain(415), "encoded"
        if request.content_length is None or "Transfer-Encoding" in request.headers:
            return _plain(411), "no_length"
        if request.content_length > self._limits.body:
            return _plain(413), "too_large"
        return None

    async def _body(self, request: web.Request) -> bytes | None:
        """Return the body; None when it does not come in time, or not whole."""
        try:
            async with asyncio.timeout(self._limits.until_body):
                return await request.read()
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            return None

    async def _verdict(self, message: Message) -> Verdict | None:
        """Return what becomes of a call; None when the store is away. What has begun to be written is not interrupted."""
        keeping = asyncio.ensure_future(self._receiver.take(message))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._kept)
        done, _ = await asyncio.wait({keeping}, timeout=self._limits.until_stored)
        if not done:
            return None
        try:
            return keeping.result()
        except Unavailable:
            return None

    def _kept(self, keeping: asyncio.Task[Verdict]) -> None:
        self._keeping.discard(keeping)
        if not keeping.cancelled():
            keeping.exception()  # nobody may wait for it any more

    def _turn_away(self, why: str) -> None:
        self._turned_away[why] += 1
        now = self._clock.monotonic()
        if now - self._told_at >= _TOLD_EVERY:
            self._told(Counter(self._turned_away))
            self._told_at = now
            self._turned_away.clear()


def _plain(status: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{status}\n", headers=headers)

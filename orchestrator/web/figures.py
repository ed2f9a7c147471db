"""`/metrics`, for who sits at this machine or has the token; never on a path that the public URL leads to."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address

from aiohttp import web

from orchestrator.jobs.secrets import Secret
from orchestrator.web.site import not_found

_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip"})
"""What proxies and tunnels add: such a request comes from outside, though its last hop is this machine."""


class Figures:
    """The path of the figures; `collect` writes them down and `content_type` says in which format."""

    def __init__(self, collect: Callable[[], Awaitable[bytes]], content_type: str, token: Secret | None) -> None:
        self._collect, self._content_type, self._token = collect, content_type, token

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the one path."""
        return [web.get("/metrics", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        if not (self._has_token(request) or _is_from_here(request)):
            return not_found()
        return web.Response(body=await self._collect(), headers={"Content-Type": self._content_type})

    def _has_token(self, request: web.Request) -> bool:
        if self._token is None:
            return False
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token.reveal()}".encode())


def _is_from_here(request: web.Request) -> bool:
    """Say whether a request begins on this machine: by address, by the name it was sent to, and by nobody in between."""
    if any(name.lower() in _FORWARDED for name in request.headers):
        return False
    return _is_loopback(request.remote or "") and _is_loopback(_host(request.headers.get("Host", "")))


def _host(text: str) -> str:
    return text.partition("]")[0].removeprefix("[") if text.startswith("[") else text.partition(":")[0]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

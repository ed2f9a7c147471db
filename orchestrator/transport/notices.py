"""A notice on its way to the user's own address: no key goes with it, and no redirect is followed."""

import aiohttp

from orchestrator.jobs.failures import Signal
from orchestrator.transport.messages import Unanswered

_WITHIN = 15.0
"""Seconds for an answer."""


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """Send a notice and return the HTTP status of the answer; raise `Unanswered` without one."""
    timeout = aiohttp.ClientTimeout(total=_WITHIN)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unanswered(Signal.CUT, f"{type(error).__name__}: {error}") from error

"""Fetching results: without keys or cookies, from public addresses only, redirects by hand, sizes counted while reading."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import Signal
from orchestrator.jobs.secrets import without_query
from orchestrator.transport.digests import Contradicted, Digests, md5, promised
from orchestrator.transport.guard import NOT_PUBLIC, Guard, addresses_of
from orchestrator.transport.pace import Pace
from orchestrator.transport.reach import Forbidden, OutOfReach, check_reach, redirected

__all__ = ["LARGEST_FILE", "Fetched", "Files", "Forbidden", "OutOfReach", "Unfetched"]

LARGEST_FILE = 64 * 2**20
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200


class Unfetched(Exception):
    """A result that could not be fetched now: `signal` is the HTTP status, or what the connection did."""

    def __init__(self, signal: Signal | int, reason: str) -> None:
        super().__init__(reason)
        self.signal = signal


class _Unwritten(Exception):
    """Our own disk's error on its way out: taken for the network's, it would use up the tries of a paid result."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A body that came whole, as far as HTTP can tell; only decoding tells the rest."""

    bytes: int
    content_type: str


class Files:
    """The keyless sessions, one per account: what an account may reach beside the open internet differs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._digests = Digests()
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._making = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for session in self._sessions.values():
            await session.close()

    async def fetch(self, url: str, account: AccountSettings, write: Callable[[bytes], object]) -> Fetched:
        """Hand the bytes at `url` to `write` as they come; raise `Unfetched` or `Forbidden`, or what `write` raises."""
        session = self._sessions.get(account.name) or await self._session(account)
        seen: set[str] = set()
        while True:
            if url in seen or len(seen) > _MOST_REDIRECTS:
                raise Forbidden("the address redirects in circles")
            seen.add(url)
            check_reach(url, account)
            try:
                answer = await self._once(session, url, account, write)
            except _Unwritten as error:
                raise error.cause from None
            if isinstance(answer, Fetched):
                return answer
            url = redirected(url, answer)

    async def _once(
        self, session: aiohttp.ClientSession, url: str, account: AccountSettings, write: Callable[[bytes], object]
    ) -> Fetched | str:
        """Fetch one address; return where it redirects to, if it does."""
        try:
            async with session.get(url, allow_redirects=False, proxy=account.proxy) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    return response.headers["Location"]
                if response.status != _OK:
                    raise Unfetched(response.status, f"HTTP {response.status} for {without_query(url)}")
                return await self._copied(response, write)
        except aiohttp.InvalidURL as error:
            raise Forbidden(f"the address cannot be used: {urlsplit(url).hostname}") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if NOT_PUBLIC in str(error):  # aiohttp wraps the guard's error, and several addresses tried at once come as one text
                raise Forbidden(f"{urlsplit(url).hostname} {NOT_PUBLIC}") from error
            raise Unfetched(_signal(error), f"{type(error).__name__} while fetching {without_query(url)}") from error

    async def _copied(self, response: aiohttp.ClientResponse, write: Callable[[bytes], object]) -> Fetched:
        pace, size = Pace(self._clock), 0
        expected = promised(response.headers)
        digest = md5() if expected is not None else None
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > LARGEST_FILE:
                raise Forbidden(f"the file is larger than {LARGEST_FILE} bytes")
            if digest is not None:
                digest.update(chunk)
            _handed_over(write, chunk)
            if size != response.content_length:  # a body that has come is not too slow
                pace.came(len(chunk))
        if expected is not None and digest is not None:
            self._digests.check(str(response.url.host), expected, digest.digest())
        return Fetched(bytes=size, content_type=response.headers.get("Content-Type", ""))

    async def _session(self, account: AccountSettings) -> aiohttp.ClientSession:
        async with self._making:
            if account.name not in self._sessions:
                allowed = await asyncio.to_thread(_allowed, account)
                self._sessions[account.name] = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0, limit_per_host=64, socket_factory=Guard(allowed).socket),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                    auto_decompress=False,
                    headers={"Accept-Encoding": "identity", "Accept": "image/*,*/*;q=0.5"},
                    timeout=aiohttp.ClientTimeout(
                        total=account.timeouts.download,
                        sock_connect=account.timeouts.connect,
                        sock_read=account.timeouts.download_stall,
                    ),
                )
            return self._sessions[account.name]


def _handed_over(write: Callable[[bytes], object], chunk: bytes) -> None:
    try:
        write(chunk)
    except OSError as error:
        raise _Unwritten(error) from error


def _allowed(account: AccountSettings) -> set[str]:
    """Return the private addresses an account vouches for: its own, its proxy's, and those of the hosts in `allow_hosts`."""
    own = account.base_url if account.base_url != SIMULATOR else ""
    named = [urlsplit(url).hostname for url in (own, account.proxy or "")]
    return {address for host in [*account.allow_hosts, *named] if host for address in addresses_of(host)}


def _signal(error: Exception) -> Signal:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Signal.BAD_CERTIFICATE
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Signal.NOT_CONNECTED
    if isinstance(error, TimeoutError):
        return Signal.TIMED_OUT
    return Signal.UNREADABLE if isinstance(error, Contradicted) else Signal.CUT

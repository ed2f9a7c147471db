"""Which URLs a result may come from, told before anything is looked up or connected; `guard` judges the address itself."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.secrets import without_query

_HTTPS, _HTTP = 443, 80


class Forbidden(Exception):
    """A result that must not be fetched: its address, scheme or size is out of bounds."""


class OutOfReach(Forbidden):
    """A result that the account's settings do not let be fetched; `allow_hosts` could."""


def check_reach(url: str, account: AccountSettings) -> None:
    """Raise `Forbidden` unless an account's results may come from `url` (reliability.md d.2).

    https at port 443 or the account's own. Plain http only for an account that speaks it itself, for hosts of `allow_hosts`
    and on this machine, where the guard asks further; an account on this machine may use all ports of its own host. Behind a
    proxy the guard sees nothing but the proxy, so that only the account's own host and those of `allow_hosts` will do.
    """
    parts, port = _parts(url)
    host, own = str(parts.hostname), _own(account)
    if vouches(account, host) or (host == own.hostname and _is_here(host)):
        return
    if account.proxy is not None and host != own.hostname:
        raise OutOfReach(f"behind the account's proxy results may only come from allow_hosts, and {host} is none of them")
    if parts.scheme == "http" and not (own.scheme == "http" or _is_here(host)):
        raise OutOfReach(f"the address {without_query(url)!r} is plain http, not https; allow_hosts can name its host")
    usual = {_HTTPS, _HTTP} if parts.scheme == "http" else {_HTTPS}
    if port not in usual | {own.port}:
        kind = Forbidden if _is_here(host) else OutOfReach
        raise kind(f"the address is at port {port} of {host}; allow_hosts can name the host")


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads; raise `Forbidden` when it gives up https."""
    try:
        target = urljoin(url, location)
        leaves_https = urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http"
    except ValueError as error:
        raise Forbidden("the address redirects to what is no address") from error
    if leaves_https:
        raise Forbidden("the address redirects from https to http")
    return target


def vouches(account: AccountSettings, host: str) -> bool:
    """Whether `allow_hosts` names a host: letter by letter, or by `*.example.com` for everything below that domain."""
    wanted = host.lower().rstrip(".")
    patterns = (pattern.lower() for pattern in account.allow_hosts)
    return any(wanted.endswith(pattern[1:]) if pattern.startswith("*.") else wanted == pattern for pattern in patterns)


def _parts(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Forbidden(f"the address {without_query(url)!r} is no http(s) URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Forbidden(f"the address {without_query(url)!r} is no http(s) URL")
    if parts.username or parts.password:
        raise Forbidden("the address carries a user name")
    return parts, port or (_HTTPS if parts.scheme == "https" else _HTTP)


def _own(account: AccountSettings) -> SplitResult:
    return urlsplit("" if account.base_url == SIMULATOR else account.base_url)


@lru_cache(maxsize=256)
def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""What an account may say of its network: addresses without passwords, headers without keys, hosts without schemes."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.secrets import looks_like_a_key
from orchestrator.jobs.spec import Json

_HOST = re.compile(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_KEY_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "tt-api-key", "x-goog-api-key"}
)
_ENVIRONMENT = "keys come from the environment only: name their variable in api_key_env"

Wrong = Iterator[tuple[str, str]]
"""Fields and what is wrong with them."""


def keys_in(written: Mapping[str, Json]) -> Wrong:
    """Yield the fields that hold a key as it seems, whatever else may be right about them."""
    for field, value in written.items():
        if any(looks_like_a_key(text) for text in _texts(value)):
            yield field, f"looks like a key; {_ENVIRONMENT}"
    headers = written.get("headers")
    for name in headers if isinstance(headers, Mapping) else ():
        if str(name).lower() in _KEY_HEADERS:
            yield "headers", f"must not have {name}; {_ENVIRONMENT}"


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def wrong_in(account: AccountSettings) -> Wrong:
    """Yield what is wrong with the addresses of an account (reliability.md d.2)."""
    if account.base_url != SIMULATOR and not _is_address(account.base_url):
        yield "base_url", f"must be like https://api.example.com, or simulator; got {_harmless(account.base_url)}"
    if account.proxy is not None:
        yield from _wrong_proxy(account.proxy)
        if not account.allow_hosts:
            yield "proxy", "needs allow_hosts beside it: the hosts that results may come from, e.g. *.files.example.com"
    for host in account.allow_hosts:
        if not _HOST.fullmatch(host):
            yield "allow_hosts", f"must list hosts like files.example.com or *.example.com; got {_harmless(host)}"


def _wrong_proxy(proxy: str) -> Wrong:
    if "@" in proxy:
        yield "proxy", "must not hold a user name or password: settings are stored with the batch"
    elif not _is_address(proxy):
        yield "proxy", f"must be like http://proxy.example.com:3128; got {proxy}"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and "@" not in parts.netloc


def _harmless(text: str) -> str:
    return repr(text.rpartition("@")[2])

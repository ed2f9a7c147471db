"""Whose host an account talks to. A relay has models and prices of its own, whatever it calls them."""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.providers.catalog import Api


def host_of(base_url: str) -> str:
    """Return the host name of a base URL in lower case; empty where there is none."""
    try:
        return urlsplit(base_url).hostname or ""
    except ValueError:
        return ""


def at_home(account: AccountSettings, api: Api) -> bool:
    """Whether an account talks to the API's own hosts."""
    return host_of(account.base_url) in api.hosts


def in_simulation(account: AccountSettings) -> bool:
    """Whether an account talks to this machine only: a simulator charges what the provider it plays would charge."""
    return _is_here(account.base_url)


@lru_cache(maxsize=256)
def _is_here(base_url: str) -> bool:
    host = host_of(base_url)
    if base_url == SIMULATOR or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

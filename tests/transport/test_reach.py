"""Which URLs a result may come from, before any name is looked up."""

from typing import Any

import pytest

from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.transport.reach import Forbidden, OutOfReach, check_reach, redirected


def account(base_url: str = "https://api.toapis.com", **changes: Any) -> AccountSettings:
    return AccountSettings(name="studio", provider="toapis", base_url=base_url, api_key_env="KEY", **changes)


HTTP, GATEWAY = account("http://10.0.0.5:9000"), account("https://gateway.example:8443")
VOUCHED = account(allow_hosts=("files.example", "*.cdn.example"))
PROXIED = account(proxy="http://10.0.0.1:3128", allow_hosts=("*.cdn.example",))


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("https://files.toapis.com/x.png?sig=1", account()),
        ("https://files.toapis.com:443/x.png", account()),
        ("https://files.toapis.com/x.png", account(SIMULATOR)),
        ("https://files.gateway.example:8443/x.png", GATEWAY),
        ("http://10.0.0.5:9000/x.png", HTTP),
        ("http://other.example/x.png", HTTP),
        ("http://files.example:8080/x.png", VOUCHED),
        ("http://FILES.example./x.png", VOUCHED),
        ("https://eu.cdn.example/x.png", PROXIED),
        ("https://api.toapis.com/x.png", PROXIED),
        ("http://127.0.0.1/x.png", account()),  # the guard judges it
        ("http://127.0.0.1:9999/x.png", account("http://127.0.0.1:9000")),
    ],
)
def test_a_result_may_come_by_https_from_anywhere_and_by_http_from_where_the_user_said(
    url: str, settings: AccountSettings
) -> None:
    check_reach(url, settings)


@pytest.mark.parametrize(
    ("url", "settings", "why"),
    [
        ("http://files.toapis.com/x.png", account(), "plain http"),
        ("http://files.example.evil/x.png", VOUCHED, "plain http"),
        ("http://cdn.example/x.png", VOUCHED, "plain http"),
        ("https://files.toapis.com:22/x.png", account(), "at port 22"),
        ("https://files.toapis.com:80/x.png", account(), "at port 80"),
        ("http://10.0.0.5:6379/x.png", HTTP, "at port 6379"),
        ("http://127.0.0.1:8765/x.png", account(), "at port 8765"),
        ("https://files.toapis.com/x.png", PROXIED, "none of them"),
        ("https://cdn.example.evil/x.png", PROXIED, "none of them"),
        ("https://cdn.example/x.png", PROXIED, "none of them"),
        ("https://user:secret@files.toapis.com/x.png", account(), "user name"),
        ("https://files.toapis.com:99999/x.png", account(), "no http"),
        ("https://[::1/x.png", account(), "no http"),
        ("gopher://files.toapis.com/", account(), "no http"),
    ],
)
def test_what_leads_elsewhere_is_refused_by_what_is_wrong(url: str, settings: AccountSettings, why: str) -> None:
    with pytest.raises(Forbidden, match=why) as caught:
        check_reach(url, settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "by_settings"),
    [
        ("http://files.toapis.com/x.png", True),
        ("https://files.toapis.com:8443/x.png", True),
        ("http://127.0.0.1:8765/x.png", False),
        ("https://user@files.toapis.com/x.png", False),
        ("file:///etc/passwd", False),
    ],
)
def test_what_the_user_could_allow_is_told_from_what_nobody_should(url: str, by_settings: bool) -> None:
    with pytest.raises(Forbidden) as caught:
        check_reach(url, account())
    assert isinstance(caught.value, OutOfReach) == by_settings


def test_a_redirect_keeps_https_and_may_be_relative() -> None:
    assert redirected("https://a.example/b/x.png", "../y.png") == "https://a.example/y.png"
    with pytest.raises(Forbidden, match="from https to http"):
        redirected("https://a.example/x.png", "http://a.example/x.png")
    with pytest.raises(Forbidden, match="no address"):
        redirected("https://a.example/x.png", "https://[::1/")

"""Results are fetched without keys, from public addresses only, and a cut or endless body is never taken for a whole one."""

import asyncio
from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Signal
from orchestrator.transport import files as module
from orchestrator.transport.files import Files, Forbidden, Unfetched
from tests.transport.conftest import RawServer, raw_server
from tests.transport.test_client import answer, replying


def account(server: RawServer | None = None, **changes: Any) -> AccountSettings:
    base_url = server.url if server else "https://toapis.com"
    return AccountSettings(name="studio", provider="toapis", base_url=base_url, api_key_env="KEY", **changes)


async def fetched(url: str, settings: AccountSettings) -> bytes:
    got = bytearray()
    async with Files() as files:
        result = await files.fetch(url, settings, got.extend)
    assert result.bytes == len(got)
    return bytes(got)


async def test_a_result_is_fetched_without_key_or_cookie() -> None:
    async with raw_server(replying(answer(b"PNG", "200 OK", "Set-Cookie: a=b"))) as server:
        assert await fetched(server.url + "/x.png", account(server)) == b"PNG"
        head = server.requests[0].lower()
    assert b"authorization" not in head
    assert b"cookie" not in head
    assert b"accept-encoding: identity" in head


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
async def test_a_result_on_this_machine_is_not_fetched(host: str) -> None:
    async with raw_server(replying(answer(b"secret"))) as server:
        with pytest.raises(Forbidden, match=r"is not a public address|cannot be used"):
            await fetched(f"http://{host}:{server.port}/x.png", account())
        assert server.requests == []


async def test_a_host_the_account_vouches_for_is_fine() -> None:
    async with raw_server(replying(answer(b"PNG"))) as server:
        assert await fetched(f"http://localhost:{server.port}/x.png", account(allow_hosts=("localhost", "127.0.0.1"))) == b"PNG"


async def test_a_redirect_inside_is_caught_at_its_own_hop() -> None:
    async with raw_server(replying(answer(b"secret"))) as inside:
        target = f"http://127.0.0.2:{inside.port}/"
        async with raw_server(replying(answer(b"", "302 Found", f"Location: {target}"))) as server:
            with pytest.raises(Forbidden, match="not a public address"):
                await fetched(server.url + "/x.png", account(server))
        assert inside.requests == []


async def test_a_redirect_is_followed_and_a_circle_is_not() -> None:
    async def moved(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"PNG") if b"/y.png" in request else answer(b"", "302 Found", "Location: /y.png"))

    async with raw_server(moved) as server:
        assert await fetched(server.url + "/x.png", account(server)) == b"PNG"
    async with raw_server(replying(answer(b"", "302 Found", "Location: /x.png"))) as server:
        with pytest.raises(Forbidden, match="circles"):
            await fetched(server.url + "/x.png", account(server))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x.png", "data:image/png;base64,AAAA", "http://", "x.png"]
)
async def test_what_is_no_http_url_is_not_fetched(url: str) -> None:
    with pytest.raises(Forbidden):
        await fetched(url, account())


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500])
async def test_a_refusal_is_told_by_its_status(status: int) -> None:
    async with raw_server(replying(answer(b"gone", f"{status} No"))) as server:
        with pytest.raises(Unfetched, match=f"HTTP {status}") as caught:
            await fetched(server.url + "/x.png?sig=secret", account(server))
    assert caught.value.signal == status
    assert "secret" not in str(caught.value)


async def test_a_body_shorter_than_it_says_is_no_result() -> None:
    async with raw_server(replying(answer(b"PN", length=100), close=True)) as server:
        with pytest.raises(Unfetched) as caught:
            await fetched(server.url + "/x.png", account(server))
    assert caught.value.signal is Signal.CUT


async def test_an_endless_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FILE", 2**20)

    async def pour(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _block in range(64):
            writer.write(b"10000\r\n" + bytes(2**16) + b"\r\n")
            await writer.drain()

    async with raw_server(pour) as server:
        with pytest.raises(Forbidden, match="larger than"):
            await fetched(server.url + "/x.png", account(server))


async def test_a_compressed_body_is_not_inflated() -> None:
    async with raw_server(replying(answer(b"\x1f\x8b not inflated", "200 OK", "Content-Encoding: gzip"))) as server:
        assert await fetched(server.url + "/x.png", account(server)) == b"\x1f\x8b not inflated"

"""Results are fetched without keys, from public addresses only, and a cut or endless body is never taken for a whole one."""

import asyncio
import errno
import hashlib
from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Signal
from orchestrator.transport import files as module
from orchestrator.transport.files import Files, Forbidden, Unfetched
from tests.clock import StillClock
from tests.transport.conftest import RawServer, raw_server
from tests.transport.test_client import answer, replying


def account(server: RawServer | None = None, **changes: Any) -> AccountSettings:
    place = {"base_url": server.url if server else "https://127.0.0.9"}
    return AccountSettings(name="studio", provider="toapis", api_key_env="KEY", **(place | changes))


async def fetched(url: str, settings: AccountSettings) -> bytes:
    got = bytearray()
    async with Files(StillClock()) as files:
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
            await fetched(f"http://{host}:{server.port}/x.png", account(base_url=f"http://127.0.0.9:{server.port}"))
        assert server.requests == []


async def test_a_host_the_account_vouches_for_is_fine() -> None:
    async with raw_server(replying(answer(b"PNG"))) as server:
        assert await fetched(f"http://localhost:{server.port}/x.png", account(allow_hosts=("localhost", "127.0.0.1"))) == b"PNG"


async def test_a_redirect_inside_is_caught_at_its_own_hop() -> None:
    async with raw_server(replying(answer(b"", "302 Found", "Location: http://127.0.0.2:80/"))) as server:
        with pytest.raises(Forbidden, match="not a public address"):
            await fetched(server.url + "/x.png", account(server))


async def test_a_redirect_to_another_port_of_this_machine_is_not_followed() -> None:
    async with raw_server(replying(answer(b"secret"))) as neighbour:
        target = f"Location: http://localhost:{neighbour.port}/"
        async with raw_server(replying(answer(b"", "302 Found", target))) as server:
            with pytest.raises(Forbidden, match=f"at port {neighbour.port}"):
                await fetched(server.url + "/x.png", account(server))
        assert neighbour.requests == []


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


async def test_a_full_disk_is_told_as_what_it_is_and_not_as_a_bad_connection() -> None:
    def full(_: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with raw_server(replying(answer(b"PNG"))) as server, Files(StillClock()) as files:
        with pytest.raises(OSError, match="No space left") as caught:
            await files.fetch(server.url + "/x.png", account(server), full)
    assert caught.value.errno == errno.ENOSPC


async def test_a_body_that_trickles_is_given_up() -> None:
    clock = StillClock()

    def slow(_: bytes) -> None:
        clock.move(20)

    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _piece in range(4):
            writer.write(bytes(1000))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(trickle) as server, Files(clock) as files:
        with pytest.raises(Unfetched, match="TooSlow") as caught:
            await files.fetch(server.url + "/x.png", account(server), slow)
    assert caught.value.signal is Signal.TIMED_OUT


def tagged(body: bytes, tag: str) -> bytes:
    return answer(body, "200 OK", f'ETag: "{tag}"')


async def test_a_body_that_its_digest_contradicts_is_fetched_again() -> None:
    damaged = tagged(b"PNH", hashlib.md5(b"PNG", usedforsecurity=False).hexdigest())
    async with raw_server(replying(damaged)) as server:
        with pytest.raises(Unfetched, match="Contradicted") as caught:
            await fetched(server.url + "/x.png", account(server))
    assert caught.value.signal is Signal.UNREADABLE


async def test_a_body_that_its_digest_confirms_is_fine_at_once() -> None:
    async with raw_server(replying(tagged(b"PNG", hashlib.md5(b"PNG", usedforsecurity=False).hexdigest()))) as server:
        assert await fetched(server.url + "/x.png", account(server)) == b"PNG"


async def test_a_paid_result_is_not_lost_to_a_tag_that_is_no_digest() -> None:
    async with raw_server(replying(tagged(b"PNG", "0" * 32))) as server, Files(StillClock()) as files:
        got = bytearray()
        with pytest.raises(Unfetched):
            await files.fetch(server.url + "/x.png", account(server), got.extend)
        got.clear()
        await files.fetch(server.url + "/x.png", account(server), got.extend)
    assert got == b"PNG"


async def test_behind_a_proxy_only_hosts_that_are_named_are_fetched_from() -> None:
    async with raw_server(replying(answer(b"PNG"))) as proxy:
        behind = account(proxy=proxy.url, allow_hosts=("*.files.example",))
        with pytest.raises(Forbidden, match=r"evil\.example is none of them"):
            await fetched("http://evil.example/x.png", behind)
        assert proxy.requests == []
        assert await fetched("http://eu.files.example/x.png", behind) == b"PNG"
        assert proxy.requests[0].startswith(b"GET http://eu.files.example/x.png HTTP/1.1")

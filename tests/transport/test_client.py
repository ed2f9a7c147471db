"""What a paid request may and may not do, and how each way it can end is told apart."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings, Timeouts
from orchestrator.jobs.failures import Signal
from orchestrator.jobs.secrets import Redactor, Secret
from orchestrator.transport.client import Transport
from orchestrator.transport.messages import Part, Request, Unanswered, Unreadable, Unsent, joined
from tests.transport.conftest import raw_server

KEY = "sk-a-very-secret-key"
ACCOUNT = AccountSettings(
    name="studio", provider="toapis", base_url="", api_key_env="KEY", headers={"X-Tenant": "7"}, timeouts=Timeouts(connect=0.5)
)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    keys = {"studio": Secret(KEY)}
    async with Transport(keys, Redactor(keys.values())) as made:
        yield made


def answer(body: bytes = b'{"id": "task_1"}', status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def replying(payload: bytes, *, close: bool = False) -> Any:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(payload)
        if close:
            writer.close()

    return handler


def paid(url: str, body: bytes = b'{"prompt":"mug"}') -> Request:
    return Request(method="POST", url=url + "/v1/images/generations", json=body)


async def test_a_paid_request_carries_the_key_and_the_accounts_headers(transport: Transport) -> None:
    async with raw_server(replying(answer())) as server:
        got = await transport.pay(paid(server.url), ACCOUNT, within=5)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert got.object() == {"id": "task_1"}
    assert f"authorization: bearer {KEY}".encode() in head.lower()
    assert b"x-tenant: 7" in head.lower()
    assert b"content-type: application/json" in head.lower()
    assert body == b'{"prompt":"mug"}'


async def test_another_scheme_puts_the_key_where_its_api_wants_it(transport: Transport) -> None:
    async with raw_server(replying(answer())) as server:
        await transport.ask(replace(paid(server.url), auth=("TT-API-KEY", "")), ACCOUNT, within=5)
    assert f"tt-api-key: {KEY}".encode() in server.requests[0].lower()
    assert b"authorization" not in server.requests[0].lower()


async def test_every_paid_request_has_a_connection_of_its_own(transport: Transport) -> None:
    async with raw_server(replying(answer())) as server:
        for _ in range(3):
            await transport.pay(paid(server.url), ACCOUNT, within=5)
        assert server.connections == 3


async def test_free_questions_share_a_connection(transport: Transport) -> None:
    async with raw_server(replying(answer())) as server:
        for _ in range(3):
            await transport.ask(Request(method="GET", url=server.url), ACCOUNT, within=5)
        assert server.connections == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_of_a_paid_request_is_an_answer_and_never_followed(transport: Transport, status: str) -> None:
    async with raw_server(replying(answer())) as other:
        moved = replying(answer(b"", status, f"Location: {other.url}/elsewhere"))
        async with raw_server(moved) as server:
            got = await transport.pay(paid(server.url), ACCOUNT, within=5)
        assert got.status in (301, 302, 307, 308)
        assert other.requests == []


async def test_nobody_listening_means_not_sent(transport: Transport) -> None:
    async with raw_server(replying(answer())) as server:
        url = server.url
    with pytest.raises(Unsent) as caught:
        await transport.pay(paid(url), ACCOUNT, within=5)
    assert caught.value.signal is Signal.NOT_CONNECTED


async def test_a_name_that_does_not_resolve_means_not_sent(transport: Transport) -> None:
    with pytest.raises(Unsent) as caught:
        await transport.pay(paid("http://no-such-host.invalid"), ACCOUNT, within=5)
    assert caught.value.signal is Signal.NOT_CONNECTED


async def test_a_connection_closed_after_the_body_is_in_doubt_and_sent_once(transport: Transport) -> None:
    async with raw_server(replying(b"", close=True)) as server:
        with pytest.raises(Unanswered) as caught:
            await transport.pay(paid(server.url), ACCOUNT, within=5)
        assert caught.value.signal is Signal.CUT
        assert len(server.requests) == 1


async def test_an_answer_that_never_comes_is_in_doubt(transport: Transport) -> None:
    async with raw_server(replying(b"")) as server:
        with pytest.raises(Unanswered) as caught:
            await transport.pay(paid(server.url), ACCOUNT, within=0.2)
        assert caught.value.signal is Signal.TIMED_OUT


async def test_an_answer_cut_short_is_in_doubt(transport: Transport) -> None:
    async with raw_server(replying(answer(b'{"id": "tas', length=100), close=True)) as server:
        with pytest.raises(Unanswered) as caught:
            await transport.pay(paid(server.url), ACCOUNT, within=5)
        assert caught.value.signal is Signal.UNREADABLE


async def test_an_answer_beyond_every_reasonable_size_is_cut_off_and_in_doubt(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.transport.client.LARGEST_ANSWER", 2**20)

    async def pour(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _block in range(64):
            writer.write(b"10000\r\n" + bytes(2**16) + b"\r\n")
            await writer.drain()

    async with raw_server(pour) as server:
        with pytest.raises(Unanswered, match="larger than") as caught:
            await transport.pay(paid(server.url), ACCOUNT, within=5)
    assert caught.value.signal is Signal.UNREADABLE


async def test_garbage_instead_of_http_is_in_doubt(transport: Transport) -> None:
    async with raw_server(replying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as server:
        with pytest.raises(Unanswered) as caught:
            await transport.pay(paid(server.url), ACCOUNT, within=5)
        assert caught.value.signal is Signal.UNREADABLE


async def test_a_body_that_could_not_be_handed_over_whole_was_not_sent(transport: Transport) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, limit=2**16)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    parts = tuple(Part(name="image[]", content=bytes(8 * 2**20), filename=f"{i}.png", content_type="image/png") for i in range(4))
    with pytest.raises(Unsent) as caught:
        await transport.pay(Request(method="POST", url=url, form=parts), ACCOUNT, within=5)
    server.close()
    assert caught.value.signal is Signal.BODY_INCOMPLETE


async def test_a_form_goes_out_with_plain_fields_and_bracketed_names(transport: Transport) -> None:
    parts = (
        Part(name="prompt", content=b"a mug"),
        Part(name="image[]", content=b"PNG", filename="mug.png", content_type="image/png"),
        Part(name="image[]", content=b"JPG", filename="cup.jpg", content_type="image/jpeg"),
    )
    async with raw_server(replying(answer())) as server:
        await transport.pay(Request(method="POST", url=server.url, form=parts), ACCOUNT, within=5)
    body = server.requests[0].partition(b"\r\n\r\n")[2]
    assert b'Content-Disposition: form-data; name="prompt"\r\n\r\na mug\r\n' in body
    assert body.count(b'name="image[]"') == 2
    assert body.index(b"mug.png") < body.index(b"cup.jpg")


async def test_the_key_is_taken_out_of_what_goes_wrong(transport: Transport) -> None:
    with pytest.raises(Unsent) as caught:
        await transport.pay(paid(f"http://{KEY}.invalid"), ACCOUNT, within=5)
    assert KEY not in str(caught.value)


async def test_right_json_counts_whatever_its_content_type_and_wrong_json_never(transport: Transport) -> None:
    async with raw_server(replying(answer(b'{"id": 1}', "200 OK", "Content-Type: text/html"))) as server:
        assert (await transport.pay(paid(server.url), ACCOUNT, within=5)).object() == {"id": 1}
    for body in (b"<html>", b"", b"[1]", b"NaN", b'{"a": NaN}', b"[" * 100_000):
        async with raw_server(replying(answer(body))) as server:
            got = await transport.pay(paid(server.url), ACCOUNT, within=5)
            with pytest.raises(Unreadable):
                got.object()


@pytest.mark.parametrize("base", ["https://a.example", "https://a.example/", "https://a.example/v1", "https://a.example//v1/"])
def test_a_base_url_is_tolerated_with_and_without_its_version(base: str) -> None:
    assert joined(replace(ACCOUNT, base_url=base), "/v1/images/edits") == "https://a.example/v1/images/edits"


def test_a_request_never_shows_its_prompt_by_accident() -> None:
    assert "mug" not in repr(paid("https://a.example", json.dumps({"prompt": "mug"}).encode()))


async def test_a_form_that_was_handed_over_whole_is_in_doubt_and_sent_once(transport: Transport) -> None:
    parts = (
        Part(name="prompt", content="a mug für dich".encode()),
        Part(name="image[]", content=bytes(300_000), filename="mug.png", content_type="image/png"),
    )
    async with raw_server(replying(b"", close=True)) as server:
        with pytest.raises(Unanswered) as caught:
            await transport.pay(Request(method="POST", url=server.url, form=parts), ACCOUNT, within=5)
        assert caught.value.signal is Signal.CUT
        assert len(server.requests) == 1

import asyncio
import gzip
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from orchestrator.jobs.secrets import Secret
from orchestrator.jobs.tokens import LIFETIME, Mint
from orchestrator.providers.signatures import Signing, signed
from orchestrator.store.callbacks import MOST_PER_ATTEMPT, Addressee
from orchestrator.store.operators import Selection
from orchestrator.store.store import Store
from orchestrator.web.limits import Limits
from tests.clock import StillClock

from .doorstep import MINT, QUICK, SIGNING, Doorstep, hook, jobs_in_doubt, path_of, running

STANDARD = Secret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")


async def test_a_call_on_an_attempts_own_path_is_kept_before_it_is_answered(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still) as door:
        assert await door.call(path_of(job), hook()) == 200
        assert await door.noted() == [(job.attempt_id, "job-0001")]
        assert door.heard == 1


async def test_the_same_call_again_changes_nothing_also_after_a_restart(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    for _ in range(2):
        async with Doorstep(store=store, clock=still) as door:
            assert [await door.call(path_of(job), hook()) for _ in range(3)] == [200, 200, 200]
            at_once = await asyncio.gather(*(door.call(path_of(job), hook()) for _ in range(10)))
            assert set(at_once) == {200}
            assert len(await door.noted()) == 1
    assert door.heard == 0


async def test_a_wrong_token_looks_like_a_path_that_is_not_there(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    own = path_of(job).rpartition("/")[2]
    wrong = [
        "/hooks/ttapi-4o/" + "A" * 32,
        "/hooks/ttapi-4o/" + MINT.callback("nobody"),
        "/hooks/ttapi-4o/" + Mint(b"x" * 32).callback(str(job.attempt_id)),
        "/hooks/toapis/" + own,
        "/hooks/elsewhere/" + own,
        "/hooks/ttapi-4o",
        f"/hooks/ttapi-4o/{own}/more",
        "/nothing/here",
    ]
    async with Doorstep(store=store, clock=still) as door:
        answers = set()
        for path in wrong:
            text = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            answers.add(await door.raw(text.encode()))
        get = await door.raw(f"GET {path_of(job)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert len({_without_date(answer) for answer in [*answers, get]}) == 1, answers
        assert get.startswith(b"HTTP/1.1 404 ")
        assert b"server:" not in get.lower()
        assert await door.noted() == []


def _without_date(answer: bytes) -> bytes:
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"Date:"))


async def test_a_token_is_good_for_seven_days_and_no_longer(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still) as door:
        still.move(LIFETIME - 1)
        assert await door.call(path_of(job), hook()) == 200
        still.move(2)
        assert await door.call(path_of(job), hook("job-0002")) == 404


async def test_an_attempt_that_was_given_up_is_still_heard(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    await store.operators.give_up(Selection(batch_id=job.batch_id))
    async with Doorstep(store=store, clock=still) as door:
        assert await door.call(path_of(job), hook()) == 200
        assert await door.noted() == [(job.attempt_id, "job-0001")]


ODD = [
    b"",
    b"[]",
    b"hello",
    b"{}",
    b"\xff\xfe",
    b'{"jobId": "job-0001", "jobId": "job-0002", "status": "SUCCESS", "data": {}}',
    b'{"jobId": "job-0001", "status": "SUCCESS", "data": {"quota": NaN}}',
    b'{"jobId": "../../etc", "status": "SUCCESS", "data": {}}',
    b'{"jobId": "short", "status": "SUCCESS", "data": {}}',
    b'{"jobId": "' + b"x" * 129 + b'", "status": "SUCCESS", "data": {}}',
    b'{"jobId": {"a": 1}, "status": "SUCCESS", "data": {}}',
    b'{"jobId": ' + b"9" * 5000 + b', "status": "SUCCESS", "data": {}}',
    b'{"jobId": ' + b"[" * 30000 + b"]" * 30000 + b"}",
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_what_is_no_honest_call_is_refused_and_changes_nothing(store: Store, still: StillClock, body: bytes) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still) as door:
        assert await door.call(path_of(job), body) == 400
        assert await door.noted() == []
        assert await door.call(path_of(job), hook()) == 200


async def test_a_body_is_refused_by_its_head_before_it_is_read(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still, limits=QUICK) as door:

        async def head(*lines: str) -> int:
            text = "\r\n".join([f"POST {path_of(job)} HTTP/1.1", "Host: x", *lines, "", ""])
            return int((await door.raw(text.encode())).split()[1])

        assert await head("Content-Length: 99000000") == 413
        assert await head("Content-Length: 65537") == 413
        assert await head("Transfer-Encoding: chunked") == 411
        assert await head("Content-Length: 100", "Content-Encoding: gzip") == 415
        assert await head() == 411
        small = gzip.compress(json.dumps(hook()).encode())
        assert await door.call(path_of(job), small, {"Content-Encoding": "gzip"}) == 415
        assert await door.call(path_of(job), b" " * 60_000 + json.dumps(hook()).encode()) == 200


async def test_smuggled_and_broken_requests_are_400_and_close_the_connection(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    first = f"POST {path_of(job)} HTTP/1.1\r\nHost: x\r\n"
    broken = [
        first + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /hooks/a HTTP/1.1\r\n\r\n",
        first + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        first + "Content-Length: +5\r\n\r\nhello",
        first + "Content-Length: 5\r\nX: " + "a" * 5000 + "\r\n\r\nhello",
        "POST /" + "a" * 5000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01 hello\r\n\r\n",
    ]
    async with Doorstep(store=store, clock=still) as door:
        for text in broken:
            answer = await door.raw(text.encode())
            assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 411")), (text[:80], answer)
            assert b"aiohttp" not in answer
            assert b"Python" not in answer
        assert await door.noted() == []


async def test_who_is_slow_is_let_go(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    half_a_body = f"POST {path_of(job)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()
    async with Doorstep(store=store, clock=still, limits=QUICK) as door:
        begun = asyncio.get_running_loop().time()
        silent, half_a_head, slow = await asyncio.gather(
            door.raw(b""), door.raw(b"POST /hooks/x HTTP/1.1\r\nHost:"), door.raw(half_a_body)
        )
        assert asyncio.get_running_loop().time() - begun < 3
        assert (silent, half_a_head) == (b"", b"")
        assert slow.startswith(b"HTTP/1.1 408 ")


async def test_more_connections_than_allowed_are_refused_and_those_there_are_served(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    limits = Limits(connections=4)
    async with Doorstep(store=store, clock=still, limits=limits) as door:
        idle = [await asyncio.open_connection("127.0.0.1", door.site.port) for _ in range(3)]
        assert await door.call(path_of(job), hook()) == 200
        late = [await asyncio.open_connection("127.0.0.1", door.site.port) for _ in range(3)]
        refused = [await reader.read() for reader, _ in late if await _is_closed(reader)]
        assert len(refused) == 3
        for _, writer in (*idle, *late):
            writer.close()
        assert await door.call(path_of(job), hook("job-0002")) == 200


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 2) == b""
    except ConnectionError:
        return True


async def test_a_flood_of_guesses_is_limited_and_authentic_calls_pass_between_them(store: Store, still: StillClock) -> None:
    jobs = await jobs_in_doubt(store, 5)
    async with Doorstep(store=store, clock=still) as door:
        guesses = await asyncio.gather(*(door.call(f"/hooks/ttapi-4o/{number:032d}", hook()) for number in range(100)))
        assert guesses.count(404) == Limits().unknown_per_source == 20
        assert guesses.count(429) == 80
        assert [await door.call(path_of(job), hook()) for job in jobs] == [200] * 5
        still.move(1)
        assert await door.call("/hooks/ttapi-4o/" + "A" * 32, hook()) == 404
        assert len(door.told) == 1
        still.move(60)
        assert await door.call("/hooks/ttapi-4o/" + "A" * 32, hook()) == 404
        assert len(door.told) == 2
        assert door.told[0] + door.told[1] == {"unknown": 22, "flood": 80}


async def test_tokens_outlive_a_lost_key_and_are_then_found_in_the_store(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still, mint=Mint(b"y" * 32)) as door:
        assert await door.call(path_of(job), hook()) == 200


async def test_who_has_a_token_and_invents_calls_fills_no_disk(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still) as door:
        for number in range(MOST_PER_ATTEMPT + 10):
            assert await door.call(path_of(job), hook(f"job-{number:04}")) == 200
        assert len(await door.noted()) == MOST_PER_ATTEMPT


async def test_while_the_store_is_locked_the_caller_is_asked_to_come_back(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store))[0]
    async with Doorstep(store=store, clock=still, limits=QUICK) as door:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with door.session.post(door.url + path_of(job), json=hook()) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        other.execute("ROLLBACK")
        other.close()
        while await door.call(path_of(job), hook()) != 200:
            pass
        assert len(await door.noted()) == 1


def event(identifier: str, **data: Any) -> bytes:
    return json.dumps({"id": identifier, "type": "generation.completed", "data": {"status": "completed", **data}}).encode()


async def test_a_signed_provider_is_heard_on_an_attempts_path_only_with_its_signature(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store, provider="toapis"))[0]
    body = event("evt_1", task_id="task_1234")
    async with Doorstep(store=store, clock=still, keys=(SIGNING,)) as door:
        right = signed(Signing.TOAPIS, SIGNING, "evt_1", body, still.now())
        assert await door.call(path_of(job), body) == 401
        assert await door.call(path_of(job), body + b" ", right) == 401
        assert await door.noted() == []
        assert await door.call(path_of(job), body, right) == 200
        assert await door.call(path_of(job), body, right) == 200
        still.move(301)
        assert await door.call(path_of(job), body, right) == 401
        assert await door.noted() == [(job.attempt_id, "task_1234")]


async def test_calls_to_the_project_find_their_attempt_by_our_reference_or_by_the_task(store: Store, still: StillClock) -> None:
    lost, known = await jobs_in_doubt(store, 2, provider="toapis")
    await running(store, known, "task_known")
    calls = [
        event("evt_1", task_id="task_lost", client_business_id=lost.attempt_id),
        event("evt_2", task_id="task_known"),
        event("evt_3", task_id="task_of_another_program"),
        b'{"id": "evt_4", "type": "endpoint.test"}',
    ]
    async with Doorstep(store=store, clock=still, keys=(SIGNING,)) as door:
        for number, body in enumerate(calls, 1):
            headers = signed(Signing.TOAPIS, SIGNING, f"evt_{number}", body, still.now())
            assert await door.call("/hooks/toapis", body, headers) == 200
            assert await door.call("/hooks/toapis", body) == 401
        assert await door.noted() == [(lost.attempt_id, "task_lost"), (known.attempt_id, "task_known")]


async def test_openais_events_name_a_response_and_nothing_else_is_read_of_them(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store, provider="openai-responses"))[0]
    await running(store, job, "resp_0123456789")
    async with Doorstep(store=store, clock=still, keys=(STANDARD,)) as door:
        for number, kind in enumerate(("response.completed", "batch.completed", "response.failed")):
            body = json.dumps({"id": f"evt_{number}", "type": kind, "data": {"id": "resp_0123456789"}}).encode()
            headers = signed(Signing.STANDARD, STANDARD, f"evt_{number}", body, still.now())
            assert await door.call("/hooks/openai", body, headers) == 200
        assert await door.noted() == [(job.attempt_id, "resp_0123456789")] * 2


async def test_a_flood_of_forged_signatures_keeps_out_no_authentic_call(store: Store, still: StillClock) -> None:
    job = (await jobs_in_doubt(store, provider="toapis"))[0]
    body = event("evt_1", task_id="task_1234", client_business_id=job.attempt_id)
    async with Doorstep(store=store, clock=still, keys=(SIGNING,)) as door:
        forged = await asyncio.gather(*(door.call("/hooks/toapis", body) for _ in range(60)))
        assert (forged.count(401), forged.count(429)) == (20, 40)
        assert await door.call("/hooks/toapis", body, signed(Signing.TOAPIS, SIGNING, "evt_1", body, still.now())) == 200


async def test_without_a_key_there_is_no_endpoint_for_the_project(store: Store, still: StillClock) -> None:
    async with Doorstep(store=store, clock=still) as door:
        assert await door.call("/hooks/toapis", event("evt_1", task_id="task_1234")) == 404


async def test_who_calls_again_while_the_store_is_slow_gives_it_no_more_to_do(
    store: Store, still: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = (await jobs_in_doubt(store))[0]
    noted: list[str] = []
    note = store.callbacks.note

    async def counted(digest: str, addressee: Addressee, remote_id: str) -> bool:
        noted.append(digest)
        return await note(digest, addressee, remote_id)

    monkeypatch.setattr(store.callbacks, "note", counted)
    async with Doorstep(store=store, clock=still, limits=QUICK) as door:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert [await door.call(path_of(job), hook()) for _ in range(4)] == [503] * 4
            other.execute("ROLLBACK")
        assert len(noted) == 1
        while await door.call(path_of(job), hook()) != 200:
            pass
        assert len(await door.noted()) == 1

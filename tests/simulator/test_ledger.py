from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest

from orchestrator.simulator import Simulator, SimulatorOptions, serve

if TYPE_CHECKING:
    from .bench import Bench


async def test_a_submission_is_recorded_with_its_exact_body(bench: Bench) -> None:
    raw = b'{"model": "gpt-4o-image",  "prompt": "a kite", "n": 2}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": "once"}
    await bench.post("/toapis/v1/images/generations", data=raw, headers=headers)
    entry = bench.ledger.submissions[0]
    assert (entry.number, entry.provider, entry.endpoint) == (1, "toapis", "images/generations")
    assert entry.path == "/toapis/v1/images/generations"
    assert (entry.prompt, entry.n, entry.model) == ("a kite", 2, "gpt-4o-image")
    assert entry.body == {"model": "gpt-4o-image", "prompt": "a kite", "n": 2}
    assert entry.raw_text == raw.decode()
    assert entry.raw_sha256 == hashlib.sha256(raw).hexdigest()
    assert entry.headers == {"content-type": "application/json", "idempotency-key": "once"}
    assert (entry.at, entry.monotonic) == (bench.clock.now(), 0.0)


async def test_references_keep_their_order(bench: Bench) -> None:
    urls = [f"https://example.com/{name}.png" for name in ("c", "a", "b")]
    await bench.order(image_urls=[{"url": urls[0]}, *urls[1:]])
    references = bench.ledger.submissions[0].references
    assert [reference.url for reference in references] == urls
    assert {reference.field for reference in references} == {"image_urls"}


async def test_the_key_is_never_recorded(bench: Bench) -> None:
    await bench.order()
    view = await (await bench.get("/_simulator/ledger")).text()
    assert "secret-key-1" not in view
    assert bench.ledger.submissions[0].key_hint == hashlib.sha256(b"secret-key-1").hexdigest()[:8]


async def test_other_processes_can_read_the_ledger(bench: Bench) -> None:
    task_id = await bench.task("one")
    await bench.task("two")
    await bench.get(await bench.result_url(task_id))
    view = await (await bench.get("/_simulator/ledger")).json()
    assert [entry["prompt"] for entry in view["submissions"]] == ["one", "two"]
    assert [poll["task_id"] for poll in view["polls"]] == [task_id]
    assert [download["status"] for download in view["downloads"]] == [200]
    assert view["peak_in_flight"] == 1
    later = await (await bench.get("/_simulator/ledger?since=1")).json()
    assert [entry["number"] for entry in later["submissions"]] == [2]
    assert (await bench.get("/_simulator/ledger?since=x")).status == 400


async def test_a_reset_forgets_the_past_but_not_the_tasks(bench: Bench) -> None:
    task_id = await bench.task()
    await bench.post("/_simulator/reset")
    assert bench.ledger.submissions == []
    assert (await bench.status(task_id))["status"] == "completed"
    await bench.order()
    assert bench.ledger.submissions[0].number == 1


async def test_a_port_in_use_is_refused(bench: Bench) -> None:
    port = int(bench.simulator.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match=str(port)):
        await Simulator(SimulatorOptions()).start(port=port)


async def test_a_served_simulator_announces_itself_and_stops_when_cancelled() -> None:
    announced: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(SimulatorOptions(), "127.0.0.1", 0, announced.set_result))
    base_url = await announced
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{base_url}/_simulator/ledger") as response:
            assert json.loads(await response.text())["submissions"] == []
        serving.cancel()
        assert isinstance((await asyncio.gather(serving, return_exceptions=True))[0], asyncio.CancelledError)
        refused = await asyncio.gather(http.get(base_url), return_exceptions=True)
    assert isinstance(refused[0], aiohttp.ClientConnectorError)

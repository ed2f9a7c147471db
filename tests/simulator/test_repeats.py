"""A key that a client sends along makes its request count once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.simulator.bench import ManualClock

if TYPE_CHECKING:
    from tests.simulator.bench import Bench
    from tests.simulator.conftest import OpenBench

HEADER = "Idempotency-Key"
PATHS = ["/toapis/v1/images/generations", "/openai/v1/images/generations"]
MODELS = {PATHS[0]: "gpt-4o-image", PATHS[1]: "gpt-image-2"}


async def send(bench: Bench, path: str, key: str, prompt: str = "a red kite") -> tuple[int, dict[str, Any]]:
    body = {"model": MODELS[path], "prompt": prompt}
    response = await bench.post(path, json=body, headers={HEADER: key})
    return response.status, await response.json()


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_body_under_the_same_key_is_answered_again_and_charged_once(open_bench: OpenBench, path: str) -> None:
    bench = await open_bench(idempotency_header=HEADER, image_side=16)
    _, first = await send(bench, path, "one")
    status, second = await send(bench, path, "one")
    assert status == 200
    assert (first.get("id"), first.get("data")) == (second.get("id"), second.get("data"))
    assert [submission.outcome for submission in bench.ledger.submissions] == ["accepted", "repeated"]
    await send(bench, path, "two")
    assert len(bench.ledger.accepted()) == 2


async def test_another_body_under_a_known_key_is_refused(open_bench: OpenBench) -> None:
    bench = await open_bench(idempotency_header=HEADER)
    await send(bench, PATHS[0], "one")
    status, answer = await send(bench, PATHS[0], "one", "a blue kite")
    assert (status, answer["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(bench.ledger.accepted()) == 1


async def test_a_lost_answer_is_given_when_it_is_asked_for_again(open_bench: OpenBench) -> None:
    bench = await open_bench(idempotency_header=HEADER, lose_answer_each=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await send(bench, PATHS[0], "one")
    assert (await send(bench, PATHS[0], "one"))[0] == 200
    assert len(bench.ledger.accepted()) == 1


class StoppingClock(ManualClock):
    """Sleeps until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def sleep(self, seconds: float, /) -> None:
        await self.go_on.wait()
        self.elapsed += seconds


async def test_a_request_under_way_is_a_conflict(open_bench: OpenBench) -> None:
    clock = StoppingClock()
    bench = await open_bench(idempotency_header=HEADER, latency=1.0, clock=clock)
    charged = asyncio.Event()
    bench.simulator.on_accepted = lambda _: charged.set()
    first = asyncio.create_task(send(bench, PATHS[0], "one"))
    await charged.wait()
    assert (await send(bench, PATHS[0], "one"))[0] == 409
    clock.go_on.set()
    assert (await first)[0] == 200
    assert len(bench.ledger.accepted()) == 1


async def test_a_key_is_forgotten_after_its_life_and_is_nothing_to_a_provider_that_honours_none(open_bench: OpenBench) -> None:
    bench = await open_bench(idempotency_header=HEADER, idempotency_ttl=60)
    await send(bench, PATHS[0], "one")
    bench.clock.elapsed += 61
    await send(bench, PATHS[0], "one")
    deaf = await open_bench()
    await send(deaf, PATHS[0], "one")
    await send(deaf, PATHS[0], "one")
    assert [len(each.ledger.accepted()) for each in (bench, deaf)] == [2, 2]

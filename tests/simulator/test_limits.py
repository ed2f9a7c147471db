from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from .bench import ManualClock

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .bench import Bench
    from .conftest import OpenBench


class HeldClock(ManualClock):
    """Holds every sleeper until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.somebody_waits = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def sleep(self, seconds: float, /) -> None:
        self.somebody_waits.set()
        await self.may_go_on.wait()
        await super().sleep(seconds)


async def _ask(bench: Bench, provider: str, prompt: str = "a kite") -> ClientResponse:
    return await (bench.order(prompt) if provider == "toapis" else bench.generate(prompt))


@pytest.mark.parametrize("provider", ["toapis", "openai"])
async def test_the_first_submissions_are_throttled_and_free(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(throttle_first=2)
    responses = [await _ask(bench, provider) for _ in range(3)]
    assert [response.status for response in responses] == [429, 429, 200]
    assert (await responses[0].json())["error"]["code"] == "rate_limit_exceeded"
    assert [entry.outcome for entry in bench.ledger.submissions] == ["throttled", "throttled", "accepted"]
    assert bench.ledger.charged_prompts() == {"a kite": 1}


async def test_every_prompts_first_submissions_are_throttled(open_bench: OpenBench) -> None:
    bench = await open_bench(throttle_each=1)
    statuses = [(await bench.order(prompt)).status for prompt in ("one", "two", "one", "two", "one")]
    assert statuses == [429, 429, 200, 200, 200]


async def test_a_429_says_nothing_by_default(open_bench: OpenBench) -> None:
    bench = await open_bench(throttle_first=1)
    response = await bench.order()
    assert "Retry-After" not in response.headers
    assert "retry-after-ms" not in response.headers


@pytest.mark.parametrize("text", ["7", "0", "soon", "-3", "999999"])
async def test_a_429_can_say_any_text(open_bench: OpenBench, text: str) -> None:
    bench = await open_bench(throttle_first=1, retry_after=text)
    assert (await bench.order()).headers["Retry-After"] == text


async def test_a_429_can_say_a_date(open_bench: OpenBench) -> None:
    bench = await open_bench(throttle_first=1, retry_after="date", retry_after_seconds=90.0)
    stated = (await bench.generate()).headers["Retry-After"]
    assert stated.endswith("GMT")
    assert parsedate_to_datetime(stated).timestamp() == bench.clock.now() + 90


async def test_a_429_can_say_milliseconds(open_bench: OpenBench) -> None:
    bench = await open_bench(throttle_first=1, retry_after="ms", retry_after_seconds=1.5)
    response = await bench.generate()
    assert response.headers["retry-after-ms"] == "1500"
    assert "Retry-After" not in response.headers


async def test_requests_per_minute_allow_a_burst_and_then_a_steady_pace(open_bench: OpenBench) -> None:
    bench = await open_bench(rpm=60.0, burst=2)
    assert [(await bench.order()).status for _ in range(3)] == [200, 200, 429]
    bench.clock.elapsed += 1
    assert [(await bench.order()).status for _ in range(2)] == [200, 429]


async def test_a_refused_request_uses_up_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench(rpm=60.0, burst=1)
    assert [(await bench.order()).status for _ in range(5)] == [200, 429, 429, 429, 429]
    bench.clock.elapsed += 1
    assert (await bench.order()).status == 200


async def test_limits_are_announced_in_each_providers_headers(open_bench: OpenBench) -> None:
    bench = await open_bench(rpm=60.0, burst=2)
    toapis, openai = await bench.order(), await bench.generate()
    assert toapis.headers["X-RateLimit-Limit"] == "60"
    assert toapis.headers["X-RateLimit-Remaining"] == "1"
    assert toapis.headers["X-RateLimit-Category"] == "async_submit"
    assert openai.headers["x-ratelimit-limit-requests"] == "60"
    assert openai.headers["x-ratelimit-remaining-requests"] == "0"
    assert openai.headers["x-ratelimit-reset-requests"] == "1000ms"


async def test_more_requests_at_once_than_allowed_are_throttled(open_bench: OpenBench) -> None:
    clock = HeldClock()
    bench = await open_bench(max_concurrent=1, clock=clock)
    first = asyncio.create_task(bench.order("first"))
    await clock.somebody_waits.wait()
    assert (await bench.order("second")).status == 429
    clock.may_go_on.set()
    assert (await first).status == 200
    assert bench.ledger.peak_in_flight == 2
    assert (await bench.order("third")).status == 200

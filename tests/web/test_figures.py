import aiohttp
import pytest

from orchestrator.app.metrics import CONTENT_TYPE, Metrics
from orchestrator.engine.news import Event
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.secrets import Secret
from orchestrator.store.store import Store
from orchestrator.web import Figures
from tests.clock import StillClock
from tests.store.making import in_state

from .doorstep import Doorstep

TOKEN = "a-token-for-metrics"


async def collect() -> bytes:
    return b"figures 1\n"


async def ask(door: Doorstep, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.get(door.url + "/metrics", headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8765"}, 200),
        ({"Host": "[::1]:8765"}, 200),
        ({"Host": "hooks.example.com"}, 404),
        ({"Host": "127.0.0.1.example.com"}, 404),
        ({"Host": ""}, 404),
        ({"X-Forwarded-For": "198.51.100.7"}, 404),
        ({"Forwarded": "for=198.51.100.7"}, 404),
        ({"Cf-Connecting-Ip": "198.51.100.7"}, 404),
        ({"Host": "hooks.example.com", "Authorization": "Bearer " + TOKEN}, 200),
        ({"Host": "hooks.example.com", "Authorization": "Bearer wrong"}, 404),
        ({"Host": "hooks.example.com", "Authorization": TOKEN}, 404),
    ],
)
async def test_figures_are_for_this_machine_or_the_token(
    store: Store, still: StillClock, headers: dict[str, str], status: int
) -> None:
    part = Figures(collect, CONTENT_TYPE, Secret(TOKEN))
    async with Doorstep(store=store, clock=still, parts=[part]) as door:
        assert await ask(door, headers) == status


async def test_without_a_token_nobody_from_outside_gets_figures(store: Store, still: StillClock) -> None:
    async with Doorstep(store=store, clock=still, parts=[Figures(collect, CONTENT_TYPE, None)]) as door:
        assert await ask(door, {"Host": "x.example", "Authorization": "Bearer "}) == 404


async def test_the_figures_tell_jobs_money_time_and_bytes(store: Store) -> None:
    await in_state(store, State.READY)
    metrics = Metrics(store)
    told = [
        Event(name="job_submitting", time=1.0, batch="mugs", key="a"),
        Event(name="job_postponed", time=2.0, batch="mugs", key="a", facts={"code": "throttled"}),
        Event(name="job_ready", time=3.0, batch="mugs", key="a", facts={"cost": 0.25, "images": 1}),
        Event(name="image_saved", time=6.5, batch="mugs", key="a", facts={"bytes": 1000}),
        Event(name="job_succeeded", time=7.0, batch="mugs", key="a"),
    ]
    for event in told:
        metrics.hear(event)
    text = (await metrics.text(1_500.0, {"noted": 3})).decode()
    for line in (
        'orchestrator_jobs{state="ready"} 1.0',
        'orchestrator_events_total{what="submissions"} 1.0',
        'orchestrator_throttles_total{code="throttled"} 1.0',
        "orchestrator_spent_usd_total 0.25",
        "orchestrator_saved_bytes_total 1000.0",
        "orchestrator_ready_to_disk_seconds_sum 4.0",
        "orchestrator_deadline_slack_seconds 500.0",
        'orchestrator_calls{what="noted"} 3.0',
    ):
        assert line in text, text

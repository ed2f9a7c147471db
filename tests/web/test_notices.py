"""Whoever does not watch is told when a batch ends, pauses or needs the user, in a form that the official library verifies."""

import json
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from orchestrator.app.notices import TRIES, Courier, Notice, notices_of
from orchestrator.config import Notify
from orchestrator.engine.ending import Ending, Outcome
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.places import BadInput
from orchestrator.jobs.secrets import Secret
from orchestrator.store.reading import Batch, Overview
from tests.clock import StillClock
from tests.clocks import JumpingClock
from tests.engine.conftest import OpenBench

from .calling import jobs, write

KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Ear:
    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.refuse = 0
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        return web.Response(status=503 if len(self.heard) <= self.refuse else 204)

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.heard]


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    found = Ear()
    application = web.Application()
    application.router.add_post("/told", found.hear)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/told"
    yield found
    await runner.cleanup()


def overview(**states: int) -> Overview:
    batch = Batch(id=1, name="spring", source="spring.yaml", created_at=0.0, budget=None, budget_lasts=False)
    figures: dict[str, Any] = dict.fromkeys(
        ("gone", "partial", "images_asked", "images_saved", "degraded", "unknown_costs", "unpriced_at_stake"), 0
    )
    money: dict[str, Any] = dict.fromkeys(("spent", "reserved", "at_stake"), Decimal("0.5"))
    known = {State(name): number for name, number in states.items()}
    return Overview(batch=batch, states=known, estimated=None, earliest_deadline=None, **figures, **money)


def outcome(ending: Ending) -> Outcome:
    return Outcome(ending=ending, paused={"studio": Failure(code=ErrorCode.QUOTA, message="the balance is used up")})


@pytest.mark.parametrize(
    ("ending", "states", "kinds"),
    [
        (Ending.OVER, {"succeeded": 2}, ["batch.ended"]),
        (Ending.OVER, {"uncertain": 1}, ["batch.ended", "batch.uncertain"]),
        (Ending.PAUSED, {"pending": 1, "uncertain": 1}, ["batch.paused", "batch.uncertain"]),
        (Ending.DRAINED, {"uncertain": 1}, []),
        (Ending.ABORTED, {"uncertain": 1}, []),
    ],
)
def test_what_the_end_of_a_run_has_to_tell(ending: Ending, states: dict[str, int], kinds: list[str]) -> None:
    found = list(notices_of(outcome(ending), [overview(**states)]))
    assert [notice.kind for notice in found] == kinds
    for notice in found:
        assert notice.data["states"] == states
        if notice.kind == "batch.paused":
            assert notice.data["reasons"] == ["studio: quota: the balance is used up"]


def now() -> StillClock:
    return StillClock(time.time())  # the official library looks at the machine's clock


async def test_a_notice_is_signed_and_repeated_until_it_is_heard(ear: Ear) -> None:
    ear.refuse = 2
    courier = Courier(Notify(url=ear.url), Secret(KEY), now(), first_wait=0.001)
    assert await courier.deliver(Notice(kind="batch.ended", data={"batch": "spring"})) == []
    assert len(ear.heard) == 3
    for headers, body in ear.heard:
        assert Webhook(KEY).verify(body, headers)["data"] == {"batch": "spring"}
    assert len({headers["webhook-id"] for headers, _ in ear.heard}) == 1


async def test_a_notice_that_cannot_arrive_is_given_up_and_the_reason_told(ear: Ear) -> None:
    ear.refuse = 99
    courier = Courier(Notify(url=ear.url), Secret(KEY), now(), first_wait=0.001)
    assert await courier.deliver(Notice(kind="batch.ended", data={"batch": "spring"})) == ["the address answered with HTTP 503"]
    assert len(ear.heard) == TRIES


async def test_the_same_notice_is_not_brought_twice(ear: Ear) -> None:
    courier = Courier(Notify(url=ear.url), Secret(KEY), now(), first_wait=0.001)
    for number in (1, 1, 2):
        await courier.deliver(Notice(kind="batch.ended", data={"batch": "spring", "images": number}))
    assert len(ear.heard) == 2


async def test_a_command_gets_the_notice_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    told = tmp_path / "told.json"
    script = f"import os,sys; open({str(told)!r},'w').write(sys.stdin.read() + str('OPENAI_API_KEY' in os.environ))"
    courier = Courier(Notify(command=(sys.executable, "-c", script)), None, now())
    assert await courier.deliver(Notice(kind="batch.paused", data={"batch": "spring"})) == []
    assert told.read_text().endswith("False")
    assert json.loads(told.read_text().removesuffix("False"))["type"] == "batch.paused"


@pytest.mark.parametrize(
    ("command", "reason"),
    [((sys.executable, "-c", "raise SystemExit(3)"), "ended with 3"), (("/no/such/command",), "cannot be started")],
)
async def test_a_command_that_fails_is_told_of(command: tuple[str, ...], reason: str) -> None:
    (failure,) = await Courier(Notify(command=command), None, now()).deliver(Notice(kind="batch.ended", data={"batch": "x"}))
    assert reason in failure


async def test_a_run_tells_its_end(open_bench: OpenBench, ear: Ear, monkeypatch: pytest.MonkeyPatch, clock: JumpingClock) -> None:
    monkeypatch.setenv("ORCHESTRATOR_NOTIFY_SECRET", KEY)
    bench = await open_bench("ttapi-4o", clock=clock, duration=1.0, lose_answer_each=1)
    write(bench, jobs(2))
    settings = bench.folder / "orchestrator.toml"
    settings.write_text(f'notify = "{ear.url}"\n', encoding="utf-8")
    assert (await bench.run(config=settings)).exit_code == 5
    assert ear.kinds == ["batch.ended", "batch.uncertain"]


async def test_a_missing_key_is_a_problem_before_anything_is_sent(open_bench: OpenBench, ear: Ear) -> None:
    bench = await open_bench("ttapi-4o")
    write(bench, jobs(1))
    settings = bench.folder / "orchestrator.toml"
    settings.write_text(f'notify = {{url = "{ear.url}"}}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="ORCHESTRATOR_NOTIFY_SECRET"):
        await bench.run(config=settings)
    assert bench.simulator.ledger.submissions == []

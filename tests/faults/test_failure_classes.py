"""What each failure means at each stage, by hand from reliability.md c, against the whole program over real sockets."""

from dataclasses import dataclass

import pytest

from tests.engine.bench import Bench, query, rows
from tests.engine.conftest import OpenBench

from .gateway import (
    DOWNLOAD,
    ENDLESS,
    POLL,
    SUBMIT,
    Gateway,
    InTurn,
    Spoil,
    cut,
    cut_after,
    empty_object,
    half,
    mislabelled,
    nothing,
    page,
    silence,
    status,
)
from .verdict import assert_all_done, assert_fair

pytestmark = pytest.mark.faults

QUICK = {"submit_task": 0.5, "submit_synchronous": 0.5, "poll": 0.5, "download": 1.0, "download_stall": 0.5}
"""Time-outs in seconds."""
DONE = ("delivered", "yes")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a job comes to whose first request of a stage failed in some way, all later ones being well."""

    state: str
    attempts: tuple[tuple[str, str], ...]
    """State and charge of each."""
    exit_code: int


AGAIN = Expected(state="succeeded", attempts=(("refused", "no"), DONE), exit_code=0)
THROTTLED = Expected(state="succeeded", attempts=(("throttled", "no"), DONE), exit_code=0)
FAILED = Expected(state="failed", attempts=(("refused", "no"),), exit_code=1)
PAUSED = Expected(state="pending", attempts=(("refused", "no"),), exit_code=4)
HELD = Expected(state="uncertain", attempts=(("uncertain", "possible"),), exit_code=5)
FINE = Expected(state="succeeded", attempts=(DONE,), exit_code=0)
PAUSED_BUT_DONE = Expected(state="succeeded", attempts=(DONE,), exit_code=4)
PAUSED_RUNNING = Expected(state="running", attempts=(("accepted", "yes"),), exit_code=4)

QUOTA = '{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}}'
MODERATED = '{"error": {"code": "content_policy_violation", "message": "Your request was rejected."}}'
WRONG_ENDPOINT = '{"error": {"message": "invalid apitype: -1"}}'

SUBMISSIONS: dict[str, tuple[Spoil, Expected]] = {
    "reset after the body": (cut, HELD),
    "reset after the provider worked": (cut_after, HELD),
    "no answer in time": (silence, HELD),
    "half an answer": (half, HELD),
    "a page with status 200": (page(), HELD),
    "no body with status 200": (nothing, HELD),
    "an empty object with status 200": (empty_object, HELD),
    "the right answer under a wrong type": (mislabelled, FINE),
    "301": (status(301, location="http://127.0.0.1:1/elsewhere"), FAILED),
    "307": (status(307, location="http://127.0.0.1:1/elsewhere"), FAILED),
    "400": (status(400), FAILED),
    "400 moderated": (status(400, MODERATED), FAILED),
    "400 at the wrong endpoint": (status(400, WRONG_ENDPOINT), FAILED),
    "401": (status(401), PAUSED),
    "402": (status(402), PAUSED),
    "403": (status(403), FAILED),
    "403 without balance": (status(403, QUOTA), PAUSED),
    "404": (status(404), FAILED),
    "405": (status(405), FAILED),
    "408": (status(408), HELD),
    "409": (status(409), HELD),
    "410": (status(410), FAILED),
    "413": (status(413), FAILED),
    "415": (status(415), FAILED),
    "418": (status(418), FAILED),
    "422": (status(422), FAILED),
    "425": (status(425), AGAIN),
    "429": (status(429), THROTTLED),
    "429 for seconds": (status(429, Retry_After="2"), THROTTLED),
    "429 without balance": (status(429, QUOTA), PAUSED),
    "429 for hours": (status(429, Retry_After="7200"), PAUSED),
    "451": (status(451), FAILED),
    "499": (status(499), THROTTLED),
    "500": (status(500), HELD),
    "500 as a page": (page(500), HELD),
    "501": (status(501), FAILED),
    "502": (status(502), HELD),
    "503": (status(503), THROTTLED),
    "504": (status(504), HELD),
    "505": (status(505), FAILED),
    "507": (status(507), HELD),
    "520": (status(520), HELD),
    "521": (status(521), AGAIN),
    "522": (status(522), HELD),
    "523": (status(523), AGAIN),
    "524": (status(524), HELD),
    "525": (status(525), AGAIN),
    "526": (status(526), AGAIN),
    "529": (status(529), THROTTLED),
    "599": (status(599), HELD),
}
"""The paid request, of an account that had an attempt accepted before."""

POLLS: dict[str, tuple[Spoil, Expected]] = {
    "401": (status(401), PAUSED_RUNNING),
    "402": (status(402), PAUSED_BUT_DONE),
    "403": (status(403), PAUSED_RUNNING),
}
"""What a look at a task can meet that stops an account. All else only puts the next look off: the task is paid for."""


async def outcome(bench: Bench, stage: str, spoil: Spoil, *, known: bool = True) -> Expected:
    """Run one job whose first request of a stage is spoilt, after another one that went well if the account is `known`."""
    upstream, before = bench.simulator.url_for(bench.provider), 1 if known else 0
    async with Gateway(upstream=upstream, stage=stage, spoil=spoil, skipped=before) as gateway:
        bench.account = {"base_url": gateway.base_url, "timeouts": QUICK, "concurrency": 1, "outstanding": 1}
        finished = await bench.run(rows(before + 1))
        assert gateway.spoilt == 1
    job = bench.manifest()[-1]
    attempts = tuple((attempt["outcome"], attempt["charged"]) for attempt in job["attempts"])
    return Expected(state=job["state"], attempts=attempts, exit_code=finished.exit_code)


@pytest.mark.parametrize("name", SUBMISSIONS)
async def test_a_paid_request_at_a_task_api_that_meets(open_bench: OpenBench, name: str) -> None:
    spoil, expected = SUBMISSIONS[name]
    bench = await open_bench("toapis", lookup=False)
    assert await outcome(bench, SUBMIT, spoil) == expected
    assert max(bench.simulator.ledger.charged_prompts().values()) == 1


@pytest.mark.parametrize("name", [name for name in SUBMISSIONS if name != "half an answer"])
async def test_a_paid_request_at_an_api_that_answers_with_the_image_that_meets(open_bench: OpenBench, name: str) -> None:
    spoil, expected = SUBMISSIONS[name]
    bench = await open_bench("openai-images")
    assert await outcome(bench, SUBMIT, spoil) == expected
    assert max(bench.simulator.ledger.charged_prompts().values()) == 1


@pytest.mark.parametrize("name", POLLS)
async def test_a_look_at_a_task_that_meets(open_bench: OpenBench, name: str) -> None:
    spoil, expected = POLLS[name]
    bench = await open_bench("toapis", duration=1.0)
    assert await outcome(bench, POLL, spoil) == expected
    assert len(bench.accepted()) == 2


@pytest.mark.parametrize(("stage", "left_out"), [(POLL, ("401", "402", "403", "429 for hours")), (DOWNLOAD, ("429 for hours",))])
async def test_whatever_a_look_or_a_download_meets_once_the_paid_result_is_fetched_in_the_end(
    open_bench: OpenBench, stage: str, left_out: tuple[str, ...]
) -> None:
    spoils = [spoil for name, (spoil, _) in SUBMISSIONS.items() if not name.startswith(left_out)]
    bench = await open_bench("toapis", duration=1.0)
    faults = InTurn(spoils)
    async with Gateway(upstream=bench.simulator.url_for("toapis"), stage=stage, spoil=faults.spoil, times=ENDLESS) as gateway:
        bench.account = {"base_url": gateway.base_url, "timeouts": QUICK}
        assert (await bench.run(rows(len(spoils)))).exit_code == 0
    assert faults.left == []
    assert_all_done(bench, rows(len(spoils)))


async def test_a_result_that_lies_at_an_address_that_is_not_public_is_not_fetched(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    spoil = status(302, location="http://10.0.0.1/x.png")
    expected = Expected(state="failed", attempts=(("lost", "yes"),), exit_code=1)
    assert await outcome(bench, DOWNLOAD, spoil, known=False) == expected
    assert bench.manifest()[-1]["error"]["code"] == "unsafe_result"


@pytest.mark.parametrize("code", [301, 404, 400])
@pytest.mark.parametrize("provider", ["toapis", "openai-images"])
async def test_the_first_contact_with_a_wrong_address_fails_no_job(open_bench: OpenBench, provider: str, code: int) -> None:
    bench = await open_bench(provider)
    spoil = status(code, WRONG_ENDPOINT if code == 400 else "no such page")
    assert await outcome(bench, SUBMIT, spoil, known=False) == PAUSED
    if code == 400:
        (event,) = bench.named("account_paused")
        assert "check base_url and endpoint" in event.facts["message"]


@pytest.mark.parametrize(
    ("setting", "code"), [("on_500", 500), ("on_502", 502), ("on_502", 504), ("on_502", 520), ("on_502", 524)]
)
async def test_what_an_account_calls_free_is_tried_twice_more_and_then_held(
    open_bench: OpenBench, setting: str, code: int
) -> None:
    bench = await open_bench("openai-images", account={setting: "retry"})
    async with Gateway(upstream=bench.simulator.url_for("openai-images"), stage=SUBMIT, spoil=status(code), times=3) as gateway:
        bench.account = {setting: "retry", "base_url": gateway.base_url}
        assert (await bench.run(rows(1))).exit_code == 5
    assert bench.attempts() == [("refused", "no"), ("refused", "no"), ("uncertain", "possible")]


async def test_how_far_each_request_got_is_written_down(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lookup=False)
    assert (await outcome(bench, SUBMIT, cut)).state == "uncertain"
    assert phases(bench) == ["answered", "sent"]
    assert_fair(bench, rows(2), uncertain=1)


def phases(bench: Bench) -> list[str]:
    return [phase for (phase,) in query(bench.database, "SELECT phase FROM attempt ORDER BY rowid")]

"""TTAPI's adapters through the whole program: what was ordered comes, and what goes wrong costs nothing twice."""

import json
from typing import Any

import pytest

from tests.faults.gateway import SUBMIT, Gateway, status

from .bench import Bench, Row, assert_whole, picture
from .conftest import OpenBench

MODELS = {"ttapi-images": "gpt-image-1", "ttapi-edits": "gpt-image-1", "ttapi-dalle3": "dall-e-3", "ttapi-4o": "gpt-4o-image"}
KEY = "tt-key-for-tests"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTAPI_API_KEY", KEY)


async def run(bench: Bench, jobs: list[Row], model: str | None = None) -> int:
    """Run jobs at one account; return the exit code."""
    settings = {"provider": bench.provider, "base_url": bench.simulator.url_for(bench.provider), **bench.account}
    defaults = {"account": "studio", "model": model or MODELS[bench.provider]}
    batch = {"batch": "spring", "accounts": {"studio": settings}, "defaults": defaults, "jobs": jobs}
    bench.file.write_text(json.dumps(batch), encoding="utf-8")
    return (await bench.run()).exit_code


def rows(count: int = 6, **fields: Any) -> list[Row]:
    return [{"id": f"job-{number}", "prompt": f"draw kite number {number}", **fields} for number in range(count)]


def assert_all_came_once(bench: Bench) -> None:
    for row in bench.manifest():
        assert_whole(bench.out, row)
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.parametrize("auth", ["tt-api-key", "bearer"])
async def test_generations_come_whole(open_bench: OpenBench, auth: str) -> None:
    bench = await open_bench("ttapi-images", key=KEY, latency=1.0, account={"options": {"auth": auth}})
    assert await run(bench, rows(size="1024x1024", quality="low")) == 0
    assert_all_came_once(bench)


async def test_edits_come_whole_with_their_pictures_and_mask(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-edits", key=KEY, latency=1.0)
    names = [picture(bench.folder / f"{number}.png", number).name for number in range(2)]
    mask = picture(bench.folder / "mask.png", 9, mode="RGBA").name
    assert await run(bench, rows(references=names, mask=mask)) == 0
    assert_all_came_once(bench)
    submission = bench.accepted()[0]
    assert [reference.field for reference in submission.references] == ["image[]", "image[]"]
    assert submission.mask is not None


async def test_edits_in_json_pass_addresses_on(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-edits", key=KEY, account={"options": {"edit_body": "json"}})
    assert await run(bench, rows(references=["https://pictures.example/a.png"])) == 0
    assert [reference.url for reference in bench.accepted()[0].references] == ["https://pictures.example/a.png"]


async def test_signed_links_of_the_older_endpoint_are_fetched_in_their_time(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-dalle3", key=KEY, latency=5.0, url_life=86_400.0, account={"url_lifetime": "1m"})
    assert await run(bench, rows(size="1024x1024")) == 0
    assert_all_came_once(bench)
    assert {submission.path for submission in bench.accepted()} == {"/ttapi/openai/v1/images/generations"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "account"),
    [
        ({}, {}),
        ({"job_id_name": "job_id"}, {"fetch_method": "post"}),
        ({"throttle_first": 2, "throttle_status": 499}, {"submit_path": "/openai/v1/4o-image/generations"}),
        ({"empty_messages": True}, {"submit_path": "/openai/gpt/generations"}),
    ],
)
async def test_jobs_are_fetched_until_they_end(open_bench: OpenBench, options: dict[str, Any], account: dict[str, Any]) -> None:
    bench = await open_bench("ttapi-4o", key=KEY, duration=60.0, jitter=0.5, account={"options": account}, **options)
    assert await run(bench, rows(references=["https://pictures.example/a.png"])) == 0
    assert_all_came_once(bench)
    assert [row["cost"]["actual"] for row in bench.manifest()] == ["0.02"] * 6


async def test_a_job_that_waits_for_ever_is_held_by_its_deadline_and_never_paid_again(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", stuck_containing="number 1", account={"task_deadline": "45s"})
    assert await run(bench, rows(3)) != 0
    assert bench.states() == {"job-0": "succeeded", "job-1": "uncertain", "job-2": "succeeded"}
    await run(bench, rows(3))
    assert len(bench.accepted()) == 3


async def test_a_failed_job_is_told_and_costs_nothing_twice(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-4o", fail_containing="number 1")
    assert await run(bench, rows(2)) == 1
    by_key = {row["key"]: row for row in bench.manifest()}
    assert by_key["job-1"]["error"]["code"] == "generation_failed"
    assert [(attempt["charged"], attempt["cost"]) for attempt in by_key["job-1"]["attempts"]] == [("no", "0")]
    assert len(bench.accepted()) == 2


@pytest.mark.parametrize(
    ("quota", "charged", "cost"), [("0", "no", "0"), ("2", "yes", "0.02"), (None, "possible", None), ("a lot", "possible", None)]
)
async def test_a_refusal_that_says_what_it_took_is_booked_so(
    open_bench: OpenBench, quota: str | None, charged: str, cost: str | None
) -> None:
    bench = await open_bench("ttapi-4o")
    answer = json.dumps({"status": "FAILED", "message": "job failed", "data": {"quota": quota}})
    async with Gateway(upstream=bench.simulator.url_for("ttapi-4o"), stage=SUBMIT, spoil=status(200, answer)) as gateway:
        bench.account = {"base_url": gateway.base_url}
        await run(bench, rows(1))
    (row,) = bench.manifest()
    (attempt,) = row["attempts"]
    assert (row["state"], attempt["outcome"], attempt["charged"], attempt["cost"]) == ("failed", "failed", charged, cost)


@pytest.mark.parametrize("provider", ["ttapi-images", "ttapi-4o"])
async def test_a_page_of_the_gateway_after_payment_is_held(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, error_after_rate=1.0, error_status=504, html_errors=True)
    await run(bench, rows(1))
    await run(bench, rows(1))
    assert bench.states() == {"job-0": "uncertain"}
    assert len(bench.accepted()) == 1


async def test_an_empty_balance_stops_the_account_and_fails_no_job(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi-images", quota_after=1, account={"concurrency": 1})
    await run(bench, rows(4))
    assert sorted(bench.states().values()) == ["pending", "pending", "pending", "succeeded"]


async def test_the_family_serves_all_of_them_with_one_key(open_bench: OpenBench) -> None:
    bench = await open_bench("ttapi", key=KEY, duration=2.0)
    name = picture(bench.folder / "mug.png", 1).name
    jobs: list[Row] = [
        {"id": "plain", "prompt": "draw one"},
        {"id": "edit", "prompt": "draw two", "references": [name]},
        {"id": "job", "prompt": "draw three", "model": "gpt-4o-image"},
        {"id": "older", "prompt": "draw four", "model": "dall-e-3", "endpoint": "ttapi-dalle3", "size": "1024x1024"},
    ]
    assert await run(bench, jobs, model="gpt-image-1") == 0
    assert_all_came_once(bench)
    assert {submission.path.removeprefix("/ttapi") for submission in bench.accepted()} == {
        "/v1/images/generations", "/v1/images/edits", "/openai/4o-image/generations", "/openai/v1/images/generations",
    }  # fmt: skip

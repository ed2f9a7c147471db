from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .test_documented_shapes import agrees

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .bench import Bench
    from .conftest import OpenBench

KEY = {"TT-API-KEY": "tt-key", "Authorization": ""}
REFERENCE = "https://cdn.example/demo.jpg"
HOOK = "https://hook.example/1"
WAITING = {
    "status": "ON_QUEUE",
    "message": None,
    "jobId": "0ccf0606",
    "data": {
        "prompt": "draw",
        "referImages": [REFERENCE],
        "imageUrl": None,
        "quota": "2",
        "finishTime": None,
        "hookUrl": HOOK,
    },
}
DONE = {
    "status": "SUCCESS",
    "message": "success",
    "jobId": "5ecc5080",
    "data": {**WAITING["data"], "imageUrl": "https://cdnc.example/1.png", "finishTime": "2025-03-31 04:25:33"},  # type: ignore[dict-item]
}
FAILED = {**DONE, "status": "FAILED", "data": {**DONE["data"], "imageUrl": None}}  # type: ignore[dict-item]


async def submit(bench: Bench, place: str = "openai/4o-image", **fields: Any) -> ClientResponse:
    return await bench.post(f"/ttapi/{place}/generations", json={"prompt": "draw a kite", **fields}, headers=KEY)


async def job(bench: Bench, **fields: Any) -> str:
    answer = await (await submit(bench, **fields)).json()
    return str(answer["data"]["jobId"])


async def fetch(bench: Bench, job_id: str, place: str = "openai/4o-image") -> dict[str, Any]:
    response = await bench.get(f"/ttapi/{place}/fetch?jobId={job_id}", headers=KEY)
    answer: dict[str, Any] = await response.json()
    return answer


async def test_a_job_is_accepted_waits_and_is_done_as_documented(open_bench: OpenBench) -> None:
    bench = await open_bench(duration=10.0)
    response = await submit(bench, referImages=[REFERENCE], hookUrl=HOOK)
    accepted = await response.json()
    assert accepted == {"status": "SUCCESS", "message": "success", "data": {"jobId": accepted["data"]["jobId"]}}
    waiting = await fetch(bench, accepted["data"]["jobId"])
    assert agrees(WAITING, waiting)
    assert waiting["data"]["referImages"] == [REFERENCE]
    bench.clock.elapsed += 10
    done = await fetch(bench, accepted["data"]["jobId"])
    assert agrees(DONE, done)
    assert done["data"]["finishTime"] == "2023-11-14 22:13:30"
    assert (await bench.get(done["data"]["imageUrl"])).status == 200
    assert [poll.status for poll in bench.ledger.polls] == ["ON_QUEUE", "SUCCESS"]


async def test_a_failed_job_says_so_and_takes_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench(fail_rate=1.0)
    failed = await fetch(bench, await job(bench, referImages=[REFERENCE], hookUrl=HOOK))
    assert agrees(FAILED, failed)
    assert (failed["message"], failed["data"]["quota"]) == ("job failed", "0")


@pytest.mark.parametrize("place", ["openai/4o-image", "openai/v1/4o-image", "openai/gpt"])
async def test_every_path_takes_jobs_and_answers_both_ways_of_asking(bench: Bench, place: str) -> None:
    job_id = (await (await submit(bench, place)).json())["data"]["jobId"]
    posted = await bench.post(f"/ttapi/{place}/fetch", json={"jobId": job_id}, headers=KEY)
    assert await posted.json() == await fetch(bench, job_id, place)


async def test_the_traps_are_options(open_bench: OpenBench) -> None:
    bench = await open_bench(job_id_name="job_id", quota="3", stuck_containing="stuck", empty_messages=True, image_missing=True)
    accepted = await (await submit(bench)).json()
    assert list(accepted["data"]) == ["job_id"]
    done = await fetch(bench, accepted["data"]["job_id"])
    assert (done["status"], done["data"]["imageUrl"], done["data"]["quota"]) == ("SUCCESS", None, "3")
    stuck = await (await submit(bench, prompt="draw what is stuck")).json()
    bench.clock.elapsed += 1e6
    assert (await fetch(bench, stuck["data"]["job_id"]))["status"] == "ON_QUEUE"


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": None},
        {"prompt": ""},
        {"size": "1:1"},
        {"n": 1},
        {"model": "gpt-4o-image"},
        {"referImages": REFERENCE},
        {"referImages": ["data:image/png;base64,aGk="]},
        {"hookUrl": 1},
    ],
)
async def test_a_wrong_field_is_refused(bench: Bench, fields: dict[str, Any]) -> None:
    response = await submit(bench, **fields)
    assert response.status == 400
    assert (await response.json())["status"] == "FAILED"
    assert not bench.ledger.accepted()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "gpt-image-2", "aspect_ratio": "16:9"}, 200),
        ({"model": "gpt-image-2-plus", "size": "1024x1024"}, 200),
        ({"model": "gpt-image-2", "aspect_ratio": "2:3"}, 400),
        ({"model": "gpt-image-1", "aspect_ratio": "1:1"}, 400),
        ({"model": "gpt-image-2", "size": "1024x1024"}, 400),
        ({"model": "gpt-image-2-plus", "size": "1:1"}, 400),
        ({"model": "dall-e-3"}, 400),
    ],
)
async def test_the_newer_path_has_models_shapes_and_pixels(bench: Bench, fields: dict[str, Any], status: int) -> None:
    assert (await submit(bench, "openai/gpt", **fields)).status == status


async def test_a_job_is_hidden_from_other_keys_and_from_nobody_s_question(bench: Bench) -> None:
    job_id = await job(bench)
    other = await bench.get(f"/ttapi/openai/4o-image/fetch?jobId={job_id}", headers={"TT-API-KEY": "other", "Authorization": ""})
    assert other.status == 404
    assert (await bench.get("/ttapi/openai/4o-image/fetch", headers=KEY)).status == 400


async def test_a_wrong_key_can_neither_order_nor_ask(open_bench: OpenBench) -> None:
    bench = await open_bench(key="the-right-one")
    assert (await submit(bench)).status == 401
    assert (await bench.get("/ttapi/openai/4o-image/fetch?jobId=j", headers=KEY)).status == 401

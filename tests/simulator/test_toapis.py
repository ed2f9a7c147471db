from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .bench import START

if TYPE_CHECKING:
    from .bench import Bench
    from .conftest import OpenBench


async def test_a_submission_is_answered_with_a_queued_task(bench: Bench) -> None:
    response = await bench.order()
    answer = await response.json()
    assert response.status == 200
    assert answer == {
        "id": answer["id"],
        "object": "generation.task",
        "model": "gpt-4o-image",
        "status": "queued",
        "progress": 0,
        "created_at": int(START),
        "metadata": {},
    }
    assert answer["id"].startswith("task_img_")
    assert len(answer["id"]) == len("task_img_") + 24


async def test_a_task_is_queued_then_in_progress_then_completed(open_bench: OpenBench) -> None:
    bench = await open_bench(duration=10.0)
    task_id = await bench.task()
    seen = []
    for _ in range(4):
        status = await bench.status(task_id)
        seen.append((status["status"], status["progress"]))
        bench.clock.elapsed += 4
    assert seen == [("queued", 0), ("queued", 40), ("in_progress", 80), ("completed", 100)]
    assert [poll.status for poll in bench.ledger.polls] == ["queued", "queued", "in_progress", "completed"]


async def test_a_completed_task_says_when_and_where_and_for_how_long(open_bench: OpenBench) -> None:
    bench = await open_bench(duration=2.0)
    task_id = await bench.task(n=2)
    bench.clock.elapsed += 5
    status = await bench.status(task_id)
    assert status["completed_at"] == int(START) + 2
    assert status["expires_at"] == status["completed_at"] + 86_400
    assert status["result"]["type"] == "image"
    urls = [item["url"] for item in status["result"]["data"]]
    assert len(set(urls)) == 2
    assert all(url.startswith(bench.simulator.base_url + "/files/") for url in urls)
    assert "url" not in status


async def test_result_urls_can_stand_in_every_documented_place(open_bench: OpenBench) -> None:
    bench = await open_bench(result_places=("url", "output", "data", "images", "outputs"))
    status = await bench.status(await bench.task())
    url = status["url"]
    assert "result" not in status
    assert status["output"] == status["images"] == status["outputs"] == [url]
    assert status["data"] == [{"url": url}]


async def test_a_failing_task_is_accepted_and_then_says_so(open_bench: OpenBench) -> None:
    bench = await open_bench(fail_rate=1.0)
    status = await bench.status(await bench.task())
    assert status["status"] == "failed"
    assert status["progress"] == 0
    assert status["error"]["code"] == "generation_failed"
    assert bench.ledger.submissions[0].charged


async def test_only_prompts_with_the_marked_text_fail(open_bench: OpenBench) -> None:
    bench = await open_bench(fail_containing="poison")
    assert (await bench.status(await bench.task("a cup of poison")))["status"] == "failed"
    assert (await bench.status(await bench.task("a cup of tea")))["status"] == "completed"


async def test_an_unknown_status_word_comes_once_before_the_end(open_bench: OpenBench) -> None:
    bench = await open_bench(unknown_status=True)
    task_id = await bench.task()
    assert (await bench.status(task_id))["status"] == "upscaling"
    assert (await bench.status(task_id))["status"] == "completed"


async def test_progress_words_can_be_chosen(open_bench: OpenBench) -> None:
    bench = await open_bench(progress_words=("submitted", "pending"), duration=10.0)
    response = await bench.order()
    answer = await response.json()
    assert answer["status"] == "submitted"
    bench.clock.elapsed += 6
    assert (await bench.status(answer["id"]))["status"] == "pending"


@pytest.mark.parametrize("fields", [{"client_business_id": "job-7"}, {"metadata": {"client_business_id": "job-7"}}])
async def test_a_task_is_found_by_its_clients_id(bench: Bench, fields: dict[str, Any]) -> None:
    task_id = await bench.task(**fields)
    assert (await bench.status("job-7"))["id"] == task_id
    assert bench.ledger.submissions[0].client_business_id == "job-7"


async def test_look_up_by_the_clients_id_can_be_missing(open_bench: OpenBench) -> None:
    bench = await open_bench(lookup=False)
    task_id = await bench.task(client_business_id="job-7")
    assert "error" in await bench.status("job-7")
    assert (await bench.status(task_id))["id"] == task_id


async def test_a_task_is_hidden_from_other_keys(bench: Bench) -> None:
    task_id = await bench.task(client_business_id="job-7")
    for name in (task_id, "job-7"):
        response = await bench.get(f"/toapis/v1/images/generations/{name}", headers={"Authorization": "Bearer somebody-else"})
        assert response.status == 404
        assert (await response.json())["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": "1"}, "n"),
        ({"n": True}, "n"),
        ({"n": 5}, "n"),
        ({"n": 0}, "n"),
        ({"size": "1024x1024"}, "size"),
        ({"size": 1}, "size"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x" * 1001}, "prompt"),
        ({"model": None}, "model"),
        ({"client_business_id": 7}, "client_business_id"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, fields: dict[str, Any], param: str) -> None:
    response = await bench.order(**fields)
    error = (await response.json())["error"]
    assert response.status == 400
    assert (error["code"], error["type"], error["param"]) == ("invalid_request_error", "invalid_request_error", param)
    assert [(entry.outcome, entry.status, entry.charged) for entry in bench.ledger.submissions] == [("rejected", 400, False)]


@pytest.mark.parametrize(
    "references",
    [
        ["data:image/png;base64,iVBORw0KGgo="],
        [f"https://example.com/{number}.png" for number in range(6)],
        [7],
    ],
)
async def test_references_other_than_five_urls_are_refused(bench: Bench, references: list[Any]) -> None:
    response = await bench.order(reference_images=references)
    assert response.status == 400
    assert (await response.json())["error"]["code"] == "invalid_reference_images"


async def test_a_body_that_is_no_json_is_refused(bench: Bench) -> None:
    response = await bench.post("/toapis/v1/images/generations", data=b"{", headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert bench.ledger.submissions[0].raw_text == "{"


async def test_a_callback_needs_a_configured_webhook(bench: Bench) -> None:
    response = await bench.order(callback_url="https://example.com/hook")
    assert (await response.json())["error"]["code"] == "webhook_not_configured"


async def test_other_models_take_pixels_and_longer_prompts(bench: Bench) -> None:
    response = await bench.order("x" * 3000, model="gpt-image-2", size="1536x1024")
    assert response.status == 200


async def test_a_wrong_key_is_refused_with_a_numeric_code(open_bench: OpenBench) -> None:
    bench = await open_bench(key="the-right-one")
    response = await bench.order()
    assert response.status == 401
    assert (await response.json())["error"] == {
        "code": 401,
        "message": "Invalid API key.",
        "type": "authentication_error",
    }
    assert bench.ledger.submissions[0].outcome == "unauthorised"


@pytest.mark.parametrize(("required", "expected"), [(True, 401), (False, 200)])
async def test_a_missing_key_matters_only_when_required(open_bench: OpenBench, *, required: bool, expected: int) -> None:
    bench = await open_bench(require_key=required)
    response = await bench.post(
        "/toapis/v1/images/generations",
        json={"model": "gpt-4o-image", "prompt": "a kite"},
        headers={"Authorization": ""},
    )
    assert response.status == expected


async def test_an_empty_balance_is_402(open_bench: OpenBench) -> None:
    bench = await open_bench(quota_after=1)
    assert (await bench.order()).status == 200
    response = await bench.order()
    assert response.status == 402
    assert (await response.json())["error"]["code"] == "insufficient_quota"
    assert len(bench.ledger.accepted()) == 1


async def test_the_unprefixed_path_belongs_to_the_chosen_provider(open_bench: OpenBench) -> None:
    body = {"model": "gpt-image-2", "prompt": "a kite"}
    for provider, member in (("toapis", "id"), ("openai-images", "created")):
        bench = await open_bench(provider=provider)
        response = await bench.post("/v1/images/generations", json=body)
        assert member in await response.json()
    assert bench.simulator.url_for("toapis") == bench.simulator.base_url + "/toapis"
    assert bench.simulator.url_for("openai-edits") == bench.simulator.base_url + "/openai"

"""Relays and chat gateways through the whole program: what was paid for comes, in whatever way it is answered."""

import json
from typing import Any

import pytest

from .bench import Bench, Row, assert_whole, picture
from .conftest import OpenBench

JOBS: dict[str, Row] = {
    "chat": {"model": "gpt-4o-image", "size": "1024x1024", "params": {"quality": "hd"}},
    "gpt-image-2": {"model": "gpt-image-2", "size": "1024x768"},
    "openai-images": {"model": "gpt-image-2", "size": "1024x1024"},
    "openai-edits": {"model": "gpt-image-2", "size": "1024x1024"},
    "openai-variations": {"model": "dall-e-2", "size": "256x256"},
}
LARGE = 256
"""Pixels per side at which a picture's base64 is long enough to stay on disk."""


@pytest.fixture(autouse=True)
def _relay_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAINBOXS_API_KEY", "GPT_IMAGE_2_API_KEY"):
        monkeypatch.setenv(name, "sk-test-relay")


async def run(bench: Bench, jobs: list[Row]) -> int:
    """Run jobs at one account; return the exit code."""
    settings = {"provider": bench.provider, "base_url": bench.simulator.url_for(bench.provider), **bench.account}
    batch = {"batch": "spring", "accounts": {"studio": settings}, "defaults": {"account": "studio"}, "jobs": jobs}
    bench.file.write_text(json.dumps(batch), encoding="utf-8")
    return (await bench.run()).exit_code


def rows(bench: Bench, count: int = 5, **fields: Any) -> list[Row]:
    return [
        {"id": f"job-{number}", "prompt": f"kite number {number}", **JOBS[bench.provider], **fields} for number in range(count)
    ]


def assert_all_came_once(bench: Bench) -> None:
    for row in bench.manifest():
        assert_whole(bench.out, row)
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert bench.answers() == set()


@pytest.mark.parametrize(
    ("form", "streams"),
    [
        *((form, "never") for form in ("data", "markdown", "inline", "fields", "parts", "bare")),
        ("markdown", "declared"),
        ("inline", "undeclared"),
        ("parts", "declared"),
    ],
)
async def test_a_chat_brings_its_images_in_every_form(open_bench: OpenBench, form: str, streams: str) -> None:
    bench = await open_bench("chat", chat_form=form, chat_streams=streams, latency=1.0)
    assert await run(bench, rows(bench, count=2, n=2)) == 0
    assert_all_came_once(bench)
    assert {len(row["images"]) for row in bench.manifest()} == {2}


@pytest.mark.parametrize("streams", ["never", "declared"])
async def test_large_images_in_the_text_of_a_chat_are_decoded_from_disk(open_bench: OpenBench, streams: str) -> None:
    bench = await open_bench("chat", chat_form="inline", chat_streams=streams, image_side=LARGE)
    assert await run(bench, rows(bench, count=2, n=2)) == 0
    saved = [image for row in bench.manifest() for image in row["images"]]
    assert [(image["width"], image["height"]) for image in saved] == [(LARGE, LARGE)] * 4
    assert bench.answers() == set()


async def test_a_chat_that_refuses_fails_with_its_own_words_and_is_not_asked_again(open_bench: OpenBench) -> None:
    bench = await open_bench("chat", chat_form="markdown", fail_containing="number 2")
    await run(bench, rows(bench))
    failed = {row["key"]: row["error"] for row in bench.manifest() if row["state"] == "failed"}
    assert list(failed) == ["job-2"]
    assert failed["job-2"]["code"] == "refused"
    assert failed["job-2"]["message"].startswith("I'm sorry, but I can't create that image")
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


async def test_a_chat_takes_references_as_files_and_as_urls(open_bench: OpenBench) -> None:
    bench = await open_bench("chat")
    picture(bench.folder / "mug.png", 1)
    assert await run(bench, rows(bench, count=1, references=["mug.png", "https://pictures.example/a.png"])) == 0
    assert [reference.kind for reference in bench.accepted()[0].references] == ["file", "url"]


@pytest.mark.parametrize("delivery", ["url", "b64_json"])
async def test_a_relay_brings_its_images_as_links_or_as_bytes(open_bench: OpenBench, delivery: str) -> None:
    bench = await open_bench("gpt-image-2", latency=1.0, account={"options": {"response_format": delivery}})
    assert await run(bench, rows(bench, n=3)) == 0
    assert_all_came_once(bench)
    assert {submission.endpoint for submission in bench.accepted()} == {"images/generations"}


@pytest.mark.parametrize("form", ["string", "object"])
async def test_a_relays_edits_are_json_with_one_reference_or_several(open_bench: OpenBench, form: str) -> None:
    bench = await open_bench("gpt-image-2", account={"options": {"image_form": form, "mask_form": form}})
    names = [picture(bench.folder / f"{number}.png", number).name for number in range(2)]
    picture(bench.folder / "mask.png", 9, mode="RGBA")
    assert await run(bench, [*rows(bench, count=1, references=names[:1], mask="mask.png", id="one"),
                             *rows(bench, count=1, references=names, id="two")]) == 0  # fmt: skip
    assert {submission.endpoint for submission in bench.accepted()} == {"images/edits"}
    assert sorted(len(submission.references) for submission in bench.accepted()) == [1, 2]


async def test_a_size_the_relay_has_not_enabled_fails_by_its_own_words(open_bench: OpenBench) -> None:
    bench = await open_bench("gpt-image-2", more_sizes=("1280x720",))
    await run(bench, [*rows(bench, count=1, size="1280x720", id="enabled"), *rows(bench, count=1, size="1600x900", id="not")])
    assert bench.states() == {"enabled": "succeeded", "not": "failed"}


async def test_a_relay_without_an_address_is_named_before_anything_is_sent(open_bench: OpenBench) -> None:
    bench = await open_bench("gpt-image-2", account={"base_url": ""})
    with pytest.raises(Exception, match="needs a base_url"):
        await run(bench, rows(bench, count=1))
    assert bench.accepted() == []


async def test_an_account_nobody_uses_needs_no_address(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    assert await run(bench, rows(bench, count=1)) == 0


async def test_variations_come_whole(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-variations")
    names = [picture(bench.folder / f"{number}.png", number).name for number in range(2)]
    jobs = [{**row, "references": [name]} for row, name in zip(rows(bench, count=2, n=2), names, strict=True)]
    assert await run(bench, jobs) == 0
    assert [len(row["images"]) for row in bench.manifest()] == [2, 2]
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.parametrize("shape", ["id", "inside"])
@pytest.mark.parametrize("provider", ["openai-images", "openai-edits", "gpt-image-2"])
async def test_a_task_in_place_of_images_is_followed_to_its_end(open_bench: OpenBench, provider: str, shape: str) -> None:
    bench = await open_bench(provider, answers_with_task=shape, duration=20.0)
    picture(bench.folder / "mug.png", 1)
    references = {"references": ["mug.png"]} if provider == "openai-edits" else {}
    assert await run(bench, [{**row, **references} for row in rows(bench)]) == 0
    assert_all_came_once(bench)
    assert {poll.http_status for poll in bench.simulator.ledger.polls} == {200}
    assert len(bench.named("job_accepted")) == 5


async def test_a_task_in_place_of_images_that_fails_is_a_failed_job(open_bench: OpenBench) -> None:
    bench = await open_bench("gpt-image-2", answers_with_task="inside", duration=5.0, fail_containing="number 2")
    await run(bench, rows(bench))
    assert {key for key, state in bench.states().items() if state == "failed"} == {"job-2"}
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.slow
async def test_tasks_in_place_of_images_are_outstanding_only_so_many_at_a_time(open_bench: OpenBench) -> None:
    bench = await open_bench("gpt-image-2", answers_with_task="id", duration=60.0, account={"outstanding": 2, "concurrency": 1})
    assert await run(bench, rows(bench, count=6)) == 0
    times = [submission.at for submission in bench.accepted()]
    assert len([at for at in times if at - times[0] < 50.0]) <= 3


@pytest.mark.slow
async def test_a_run_that_was_stopped_asks_for_the_task_again_and_pays_nothing_twice(open_bench: OpenBench) -> None:
    bench = await open_bench("gpt-image-2", answers_with_task="inside", duration=300.0)
    settings = {"provider": bench.provider, "base_url": bench.simulator.url_for(bench.provider)}
    batch = {"batch": "spring", "accounts": {"studio": settings}, "defaults": {"account": "studio"}, "jobs": rows(bench, count=3)}
    bench.file.write_text(json.dumps(batch), encoding="utf-8")
    await bench.run(begun=lambda runtime, _board: setattr(bench.simulator, "on_accepted", lambda _: runtime.drain()))
    bench.simulator.on_accepted = None
    assert "succeeded" not in bench.states().values()
    await bench.resume()
    assert set(bench.states().values()) == {"succeeded"}
    assert_all_came_once(bench)

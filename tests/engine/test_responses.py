"""OpenAI's responses through the whole program: in the background, at once, in events, across kills and lost answers."""

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results import Results
from orchestrator.simulator import Picture, draw
from tests.clocks import FastClock

from .bench import Bench, Row, assert_whole, picture, query, rows
from .conftest import OpenBench
from .processes import Engine, until

LARGE = 768
"""Pixels per side at which an answer is too long to be kept in memory."""


def mode(name: str, **options: Any) -> dict[str, Any]:
    return {"options": {"mode": name, **options}}


def made(prompt: str, side: int) -> str:
    """Return the SHA-256 of the large picture that belongs to a prompt."""
    return hashlib.sha256(draw(Picture(prompt=prompt, index=0, width=side, height=side))).hexdigest()


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def assert_all_came_once(bench: Bench) -> None:
    for row in bench.manifest():
        assert_whole(bench.out, row)
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert bench.answers() == set()


@pytest.mark.parametrize("name", ["background", "synchronous", "stream"])
async def test_jobs_come_whole_in_every_mode(open_bench: OpenBench, name: str) -> None:
    bench = await open_bench("openai-responses", account=mode(name), duration=20.0, latency=1.0)
    assert (await bench.run(rows(6))).exit_code == 0, bench.states()
    assert_all_came_once(bench)
    assert (len(bench.simulator.ledger.polls) > 0) is (name == "background")
    (row, *_) = bench.manifest()
    assert row["images"][0]["revised_prompt"] == "A detailed picture: kite number 0"
    assert row["attempts"][0]["remote_id"].startswith("resp_")
    drawn = (4 * 5 + 7024 * 30) / Decimal(1_000_000)
    talked = (4 * Decimal("0.20") + 60 * Decimal("1.20")) / 1_000_000
    assert Decimal(row["cost"]["actual"]) == drawn + talked


async def test_a_result_whose_spooled_answer_is_lost_is_asked_for_again(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await open_bench("openai-responses", duration=20.0, image_side=LARGE)
    save, lost = Results.save_inline, list[str]()

    async def lose_once(self: Results, *given: Any, attempt_id: str, **named: Any) -> Any:
        if attempt_id not in lost:
            lost.append(attempt_id)
            bench.database.with_name("orchestrator.spool").joinpath(f"{attempt_id}.answer").unlink()
        return await save(self, *given, attempt_id=attempt_id, **named)

    monkeypatch.setattr(Results, "save_inline", lose_once)
    assert (await bench.run(rows(2))).exit_code == 0, bench.events
    assert len(lost) == len(bench.named("result_asked_again")) == 2
    assert len(bench.accepted()) == 2
    assert {row["images"][0]["sha256"] for row in bench.manifest()} == {made(f"kite number {n}", LARGE) for n in range(2)}


@pytest.mark.slow
async def test_references_go_as_data_or_are_uploaded_once(open_bench: OpenBench, tmp_path: Path) -> None:
    reference = str(picture(tmp_path / "mug.png", 1))
    mask = str(picture(tmp_path / "mask.png", 2, mode="RGBA"))
    shown = {"references": [reference, "https://pictures.example/style.png"], "mask": mask}
    for options, kinds, uploads in (({}, ["file", "url"], 0), ({"references": "file_id"}, ["file_id", "url"], 2)):
        bench = await open_bench("openai-responses", account={"options": options})
        assert (await bench.run(rows(3, **shown))).exit_code == 0
        for submission in bench.accepted():
            assert [one.kind for one in submission.references] == kinds
            assert submission.references[0].sha256 == digest(reference)
            assert submission.mask is not None
            assert submission.mask.sha256 == digest(mask)
        assert len(bench.simulator.ledger.uploads) == uploads


async def test_a_job_that_continues_another_goes_on_with_its_response(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", duration=5.0)
    jobs: list[Row] = [{"id": "mug", "prompt": "a mug"}, {"id": "red", "prompt": "now red", "continues": "mug"}]
    assert (await bench.run(jobs)).exit_code == 0, bench.events
    first, second = bench.accepted()
    (parent,) = query(bench.database, "SELECT remote_id FROM attempt JOIN job ON job.id = job_id WHERE key = 'mug'")
    assert "previous_response_id" not in first.body
    assert second.body["previous_response_id"] == parent[0]
    assert second.references == ()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"refuse_containing": "kite"}, "refused", "I'm sorry, but I can't help with that image."),
        ({"talk_containing": "kite"}, "no_image", "I'm sorry, but I can't help with that image."),
        ({"incomplete_containing": "kite"}, "refused", "the response is incomplete: content_filter"),
        ({"fail_containing": "kite"}, "server_error", "The image could not be generated."),
    ],
)
@pytest.mark.parametrize("name", ["background", "synchronous", "stream"])
async def test_a_response_without_an_image_fails_its_job_in_its_own_words(
    open_bench: OpenBench, options: dict[str, Any], code: str, words: str, name: str
) -> None:
    bench = await open_bench("openai-responses", account=mode(name), duration=5.0, **options)
    assert (await bench.run(rows(1))).exit_code == 1
    (row,) = bench.manifest()
    assert (row["state"], row["error"]["code"], row["error"]["message"]) == ("failed", code, words)
    assert len(bench.accepted()) == 1


async def test_a_lost_answer_in_the_background_is_in_doubt_and_never_paid_again(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", duration=5.0, lose_answer_each=1)
    await bench.run(rows(2))
    assert set(bench.states().values()) == {"uncertain"}
    await bench.resume()
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


async def test_a_stream_that_breaks_early_is_followed_by_its_id(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", account=mode("stream"), duration=20.0, cut_stream="before", image_side=LARGE)
    assert (await bench.run(rows(3, params={"partial_images": 1}))).exit_code == 0, bench.states()
    assert len(bench.accepted()) == 3
    assert len(bench.named("job_accepted")) == 3
    assert len(bench.simulator.ledger.polls) >= 3
    for row in bench.manifest():
        assert row["images"][0]["sha256"] == made(row["prompt"], LARGE)


async def test_a_stream_that_breaks_after_its_image_needs_no_question(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", account=mode("stream"), duration=20.0, cut_stream="after", image_side=LARGE)
    assert (await bench.run(rows(3))).exit_code == 0, bench.states()
    assert bench.simulator.ledger.polls == []
    for row in bench.manifest():
        assert row["images"][0]["sha256"] == made(row["prompt"], LARGE)


@pytest.mark.slow
async def test_a_killed_engine_asks_for_its_background_responses_and_pays_nothing_twice(open_bench: OpenBench) -> None:
    clock = FastClock(20.0)
    bench = await open_bench("openai-responses", clock=clock, duration=60.0, image_side=LARGE)
    bench.write(rows(4))
    engine = await Engine.start(bench, "run")
    await engine.words()
    await until(lambda: query(bench.database, "SELECT count(*) FROM job WHERE state = 'running'") == [(4,)])
    await engine.kill()
    words = await (await Engine.start(bench, "resume")).ended()
    assert words["exit_code"] == 0, bench.states()
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert bench.attempts() == [("delivered", "yes")] * 4
    for row in bench.manifest():
        assert row["images"][0]["sha256"] == made(row["prompt"], LARGE)


@pytest.mark.slow
async def test_a_killed_engine_finds_the_id_in_the_part_of_a_stream_that_came(open_bench: OpenBench) -> None:
    clock = FastClock(20.0)
    bench = await open_bench("openai-responses", clock=clock, account=mode("stream"), duration=60.0, image_side=LARGE)
    bench.write(rows(2, params={"partial_images": 3}))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(list(bench.out.glob("*/*.partial-1.png"))) == 2)
    await engine.kill()
    words = await (await Engine.start(bench, "resume")).ended()
    assert words["exit_code"] == 0, bench.states()
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


@pytest.mark.slow
async def test_many_large_results_at_once_all_leave_the_spool(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", account={"concurrency": 64, "outstanding": 64}, duration=30.0, image_side=LARGE)
    assert (await bench.run(rows(64))).exit_code == 0
    assert len(bench.accepted()) == 64
    assert all(row["images"][0]["sha256"] == made(row["prompt"], LARGE) for row in bench.manifest())
    assert bench.answers() == set()
    assert query(bench.database, "SELECT count(base64) FROM image") == [(0,)]

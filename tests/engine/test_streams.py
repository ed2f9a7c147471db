"""Images that come as events: previews beside the results, and what a connection that breaks leaves behind."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Picture, draw
from tests.clocks import FastClock

from .bench import Bench, Row, assert_whole, picture, rows
from .conftest import OpenBench
from .processes import Engine, until

PREVIEWS = {"stream": True, "partial_images": 2}
LARGE = 512
"""Pixels per side at which base64 is long enough to stay on disk."""


def jobs(bench: Bench, count: int = 3, **params: Any) -> list[Row]:
    shown = {} if bench.provider == "openai-images" else {"references": [str(picture(bench.folder / "mug.png", 1))]}
    return rows(count, params={**PREVIEWS, **params}, **shown)


def unfinished(prompt: str, number: int, side: int) -> str:
    """Return the SHA-256 of the preview that the simulator draws on the way to a picture."""
    text = f"{prompt} (unfinished, {number})"
    return hashlib.sha256(draw(Picture(prompt=text, index=0, width=side, height=side))).hexdigest()


def files(bench: Bench) -> dict[str, str]:
    """Return the digests of all pictures by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(bench.out.glob("*/*.png"))}


def assert_previews(bench: Bench, prompts: dict[str, str], side: int) -> None:
    found = files(bench)
    for key, prompt in prompts.items():
        for number in range(2):
            assert found[f"{key}-0.partial-{number}.png"] == unfinished(prompt, number, side)


@pytest.mark.parametrize("provider", ["openai-images", "openai-edits"])
@pytest.mark.parametrize("side", [64, LARGE])
async def test_previews_lie_beside_the_results_and_in_no_manifest(open_bench: OpenBench, provider: str, side: int) -> None:
    bench = await open_bench(provider, duration=9.0, image_side=side)
    assert (await bench.run(jobs(bench))).exit_code == 0, bench.events
    assert_previews(bench, {row["key"]: row["prompt"] for row in bench.manifest()}, side)
    assert [len(row["images"]) for row in bench.manifest()] == [1, 1, 1]
    if side == 64:
        for row in bench.manifest():
            assert_whole(bench.out, row)
    assert len(files(bench)) == 3 * 3
    assert len(bench.named("preview_saved")) == 6
    assert bench.answers() == set()


async def test_a_stream_without_previews_leaves_only_its_results(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", image_side=LARGE)
    assert (await bench.run(rows(2, params={"stream": True}, n=2))).exit_code == 0
    assert sorted(files(bench)) == ["job-000-0.png", "job-000-1.png", "job-001-0.png", "job-001-1.png"]


async def test_a_stream_cut_before_its_image_is_in_doubt_and_keeps_its_previews(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", duration=9.0, image_side=LARGE, cut_stream="before")
    await bench.run(jobs(bench))
    assert set(bench.states().values()) == {"uncertain"}
    assert_previews(bench, {row["key"]: row["prompt"] for row in bench.manifest()}, LARGE)
    assert len(files(bench)) == 6
    await bench.resume()
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


async def test_a_stream_cut_after_its_image_is_delivered(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", duration=9.0, cut_stream="after")
    assert (await bench.run(jobs(bench))).exit_code == 0, bench.states()
    for row in bench.manifest():
        assert_whole(bench.out, row)
        assert row["partial"] is False
    assert bench.answers() == set()


async def test_a_stream_cut_after_the_first_of_two_images_is_partial(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", duration=9.0, cut_stream="after")
    await bench.run(rows(1, n=2, params={"stream": True}))
    (row,) = bench.manifest()
    assert (row["state"], row["partial"], len(row["images"])) == ("succeeded", True, 1)
    assert len(bench.accepted()) == 1


async def test_a_preview_that_cannot_be_saved_changes_nothing(open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await open_bench("openai-images", duration=9.0)

    async def refuse(*_: Any, **__: Any) -> None:
        raise OSError("the disk is busy")

    monkeypatch.setattr("orchestrator.results.Results.save_preview", refuse)
    assert (await bench.run(jobs(bench))).exit_code == 0
    assert len(bench.named("preview_unsaved")) == 6
    assert sorted(files(bench)) == ["job-000-0.png", "job-001-0.png", "job-002-0.png"]


@pytest.mark.slow
async def test_an_engine_killed_within_a_stream_leaves_doubts_and_previews(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", clock=FastClock(20.0), duration=60.0, image_side=LARGE)
    bench.write(jobs(bench, count=2))
    engine = await Engine.start(bench, "run")
    await until(lambda: len(list(bench.out.glob("*/*.partial-0.png"))) == 2)
    await engine.kill()
    await (await Engine.start(bench, "resume")).ended()
    assert set(bench.states().values()) == {"uncertain"}
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}
    assert {name for name in files(bench) if name.endswith("partial-0.png")} == {
        "job-000-0.partial-0.png",
        "job-001-0.partial-0.png",
    }


async def test_file_ids_stand_for_the_images_of_an_edit(open_bench: OpenBench, tmp_path: Path) -> None:
    reference = picture(tmp_path / "mug.png", 1)
    bench = await open_bench("openai-edits", account={"options": {"references": "file_id"}})
    assert (await bench.run(rows(3, references=[str(reference)]))).exit_code == 0, bench.events
    (upload,) = bench.simulator.ledger.uploads
    assert [[one.file_id for one in submission.references] for submission in bench.accepted()] == [[upload.id]] * 3
    assert {one.sha256 for submission in bench.accepted() for one in submission.references} == {upload.sha256}

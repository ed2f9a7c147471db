"""What the provider received is what the file says: prompts, pictures and URLs, each in its place."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.simulator import Reference, Submission

from .bench import MODELS, SIZES, Bench, Row, assert_whole, picture
from .conftest import OpenBench

COUNT = 20


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def url_of(number: int) -> str:
    return f"https://pictures.example/style-{number}.png?version={number}"


def received(reference: Reference) -> str | None:
    """Return what identifies a reference: the bytes' digest, or the URL where no bytes came."""
    return reference.url if reference.kind == "url" else reference.sha256


def write_csv(bench: Bench, table: list[dict[str, str]]) -> Path:
    """Write the rows, and the account into a settings file: CSV has no place for it."""
    file = bench.folder / "spring.csv"
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    base_url = bench.simulator.url_for(bench.provider)
    settings = bench.folder / "orchestrator.toml"
    settings.write_text(f'[accounts.studio]\nprovider = "{bench.provider}"\nbase_url = "{base_url}"\n', encoding="utf-8")
    return file


async def ordered(bench: Bench, table: list[dict[str, str]]) -> list[Row]:
    """Run a CSV to its end; return the manifest."""
    file = write_csv(bench, table)
    app = bench.app(config=bench.folder / "orchestrator.toml", account="studio", model=MODELS[bench.provider], concurrency=6)
    finished = await app.run(file, [bench.events.append], lambda _runtime, _board: None)
    assert finished.exit_code == 0
    return bench.manifest()


def by_prompt(bench: Bench) -> dict[str, Submission]:
    """Return the accepted submissions, of which there is one per prompt."""
    found = {str(submission.prompt): submission for submission in bench.accepted()}
    assert len(found) == len(bench.accepted())
    return found


def table_with_urls(bench: Bench) -> list[dict[str, str]]:
    """Rows with a picture of their own and a URL; every other row has the URL first."""
    table = []
    for number in range(COUNT):
        local = picture(bench.folder / "references" / f"mug {number}.png", number)
        pair = [f"references/{local.name}", url_of(number)]
        table.append(
            {
                "id": f"row-{number}",
                "prompt": f'Mug {number}, "oak", größer; {number}',
                "size": SIZES[bench.provider],
                "references": "|".join(pair if number % 2 else reversed(pair)),
            }
        )
    return table


@pytest.mark.parametrize("provider", ["toapis", "openai-edits"])
async def test_each_row_brings_its_own_picture_and_its_own_url_in_their_order(open_bench: OpenBench, provider: str) -> None:
    bench = await open_bench(provider, latency=0.2)
    table = table_with_urls(bench)
    manifest = await ordered(bench, table)
    submissions = by_prompt(bench)
    assert set(submissions) == {row["prompt"] for row in table}
    for number, row in enumerate(table):
        own = [sha256_of(bench.folder / "references" / f"mug {number}.png"), url_of(number)]
        assert [received(reference) for reference in submissions[row["prompt"]].references] == (own if number % 2 else own[::-1])
    assert [row["key"] for row in manifest] == [row["id"] for row in table]
    for row in manifest:
        assert_whole(bench.out, row)


async def test_a_picture_that_many_rows_share_is_uploaded_once(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", upload_delay=1.0)
    shared = picture(bench.folder / "shared.png", 7)
    await ordered(bench, [{"prompt": f"Mug {number}", "references": "shared.png"} for number in range(COUNT)])
    assert [upload.sha256 for upload in bench.simulator.ledger.uploads] == [sha256_of(shared)]
    assert {received(reference) for s in bench.accepted() for reference in s.references} == {sha256_of(shared)}


async def test_two_pictures_and_a_mask_arrive_as_files_of_one_form(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-edits", latency=0.2)
    table = []
    for number in range(COUNT):
        names = [picture(bench.folder / f"{part}-{number}.png", 2 * number + i).name for i, part in enumerate("ab")]
        mask = picture(bench.folder / f"mask-{number}.png", 100 + number, mode="RGBA")
        table.append({"prompt": f"Edit {number}", "size": "", "references": "|".join(names), "mask": mask.name})
    await ordered(bench, table)
    submissions = by_prompt(bench)
    for number in range(COUNT):
        submission = submissions[f"Edit {number}"]
        files = [sha256_of(bench.folder / f"{part}-{number}.png") for part in "ab"]
        assert submission.headers["content-type"].startswith("multipart/form-data")
        assert [received(reference) for reference in submission.references] == files
        assert submission.mask is not None
        assert submission.mask.sha256 == sha256_of(bench.folder / f"mask-{number}.png")


async def test_a_toapis_mask_is_uploaded_and_not_mistaken_for_a_reference(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    reference, mask = picture(bench.folder / "mug.png", 1), picture(bench.folder / "mask.png", 2, mode="RGBA")
    job: dict[str, Any] = {"prompt": "A mug", "references": [str(reference)], "mask": str(mask)}
    finished = await bench.run([{**job, "model": "gpt-image-1.5-official"}])
    assert finished.exit_code == 0
    (submission,) = bench.accepted()
    assert [received(found) for found in submission.references] == [sha256_of(reference)]
    assert submission.mask is not None
    assert submission.mask.sha256 == sha256_of(mask)


async def test_a_reference_that_changed_after_loading_is_named_and_never_sent(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-edits")
    first, second = picture(bench.folder / "first.png", 1), picture(bench.folder / "second.png", 2)
    jobs = [{"id": name, "prompt": name, "references": [str(path)]} for name, path in (("one", first), ("two", second))]

    def change(_runtime: Runtime, _board: Board) -> None:
        picture(first, 3)

    finished = await bench.run(jobs, begun=change)
    assert finished.exit_code == 1
    assert [submission.prompt for submission in bench.simulator.ledger.submissions] == ["two"]
    changed, _ = bench.manifest()
    assert (changed["state"], changed["error"]["code"]) == ("failed", "input_changed")
    assert "first.png" in changed["error"]["message"]
    assert changed["attempts"] == []

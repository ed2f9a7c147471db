"""One batch with a job for every API there is: run, killed in the middle, resumed; and the same jobs at another account."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app import App, Options
from orchestrator.jobs.places import BadInput, errors
from orchestrator.providers.base import Provider
from orchestrator.providers.registry import BUILT_IN, Registry
from orchestrator.simulator import Simulator
from tests.clocks import FastClock
from tests.providers.making import today

from .bench import Bench, Row, picture, query
from .conftest import OpenBench
from .processes import Engine, until

OTHER_KEYS = ("TTAPI_API_KEY", "RAINBOXS_API_KEY", "GPT_IMAGE_2_API_KEY")
WEB = "https://pictures.example/style.png"
GENERATIONS = ("openai-images", "ttapi-images")
EDITS = ("openai-edits", "ttapi-edits")
SMALL = {"size": "1024x1024", "params": {"quality": "low"}}
FACTOR = 20.0
LATENCY = 0.1 * FACTOR
"""Virtual seconds between acceptance and answer, so that a kill finds requests in flight."""

ADAPTERS = tuple(name for name in BUILT_IN if isinstance(Registry(today=today, plugins=()).get(name), Provider))


@pytest.fixture(autouse=True)
def _other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OTHER_KEYS:
        monkeypatch.setenv(name, f"sk-test-{name.lower()}")


def accounts(simulator: Simulator) -> dict[str, Any]:
    """Return an account for every adapter, named by its id."""
    found: dict[str, Any] = {
        name: {"provider": name, "base_url": simulator.url_for(name), "concurrency": 2} for name in (*ADAPTERS, "openai", "ttapi")
    }
    found["gpt-image-2"]["options"] = {"mask_form": "string"}
    return found


def every_job(folder: Path) -> list[Row]:
    """Return at least one job for each adapter: references, masks, two images, streams with previews, chains of three."""
    mug = str(picture(folder / "mug.png", 1))
    style = str(picture(folder / "style.png", 2))
    mask = str(picture(folder / "mask.png", 3, mode="RGBA"))
    previews = {"stream": True, "partial_images": 2, "quality": "low"}
    newest = {"model": "gpt-image-2", **SMALL}
    return [
        {"id": "toapis", "account": "toapis", "model": "gpt-4o-image", "size": "1:1", "n": 2, "references": [mug], "mask": mask},
        {"id": "ttapi-images", "account": "ttapi-images", **newest, "n": 2},
        {"id": "ttapi-edits", "account": "ttapi-edits", **newest, "references": [mug, style], "mask": mask},
        {"id": "ttapi-dalle3", "account": "ttapi-dalle3", "model": "dall-e-3", "size": "1024x1024"},
        {"id": "ttapi-4o", "account": "ttapi-4o", "model": "gpt-4o-image", "references": [WEB]},
        {"id": "gpt-image-2", "account": "gpt-image-2", **newest, "references": [mug, style], "mask": mask, "n": 2},
        {"id": "chat", "account": "chat", "model": "gpt-4o-image", "references": [mug]},
        {"id": "openai-images", "account": "openai-images", **newest, "n": 2},
        {"id": "stream", "account": "openai-images", **newest, "params": previews},
        {"id": "openai-edits", "account": "openai-edits", **newest, "references": [mug, style], "mask": mask},
        {"id": "openai-variations", "account": "openai-variations", "model": "dall-e-2", "size": "256x256", "references": [mug]},
        *chain("turn", "openai-responses", newest),
        *chain("edit", "openai-edits", newest, references=[mug]),
    ]


def chain(name: str, account: str, fields: Mapping[str, Any], **first: Any) -> list[Row]:
    """Return three jobs, each going on where the one before ended."""
    return [
        {"id": f"{name}-1", "account": account, **fields, **first},
        {"id": f"{name}-2", "account": account, **fields, "continues": f"{name}-1"},
        {"id": f"{name}-3", "account": account, **fields, "continues": f"{name}-2"},
    ]


def write(bench: Bench, jobs: list[Row], **top: Any) -> None:
    """Write a batch file whose prompts all ask for a drawing, each for another."""
    known = [{"id": job["id"], "prompt": f"draw a kite for {job['id']}, keep the mug", **job} for job in jobs]
    batch = {"batch": "spring", "accounts": accounts(bench.simulator), **top, "jobs": known}
    bench.file.write_text(json.dumps(batch, indent=1), encoding="utf-8")


def images_of(job: Row) -> int:
    return int(job.get("n", 1))


def assert_all_there(bench: Bench, jobs: list[Row]) -> None:
    """Hold the manifest against the files: every image of every job, each with its bytes, and the previews of the stream."""
    manifest = {row["key"]: row for row in bench.manifest()}
    assert [*manifest] == [job["id"] for job in jobs]
    for job in jobs:
        row = manifest[job["id"]]
        assert (row["state"], row["partial"], len(row["images"])) == ("succeeded", False, images_of(job)), row
        for image in row["images"]:
            assert (bench.out / image["file"]).stat().st_size == image["bytes"]
    assert sorted(path.name for path in (bench.out / "spring").glob("*.partial-*")) == [
        f"stream-0.partial-{n}.png" for n in (0, 1)
    ]


async def test_one_batch_orders_from_every_api(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    jobs = every_job(bench.folder)
    assert {job["account"] for job in jobs} == {*ADAPTERS}
    write(bench, jobs)
    finished = await bench.run()
    assert finished.exit_code == 0, [row for row in bench.manifest() if row["state"] != "succeeded"]
    assert_all_there(bench, jobs)
    assert set(bench.simulator.ledger.charged_prompts().values()) == {1}


def is_sending(bench: Bench) -> bool:
    """Say whether a paid request is in flight whose answer nobody could look up."""
    sent = query(bench.database, "SELECT 1 FROM job WHERE state = 'submitting' AND provider <> 'toapis'")
    return bench.simulator.ledger.in_flight > 1 and bool(sent)


@pytest.mark.slow
async def test_the_batch_is_killed_in_the_middle_and_loses_nothing(open_bench: OpenBench) -> None:
    bench = await open_bench("openai", clock=FastClock(FACTOR), latency=LATENCY, duration=1.0)
    jobs = every_job(bench.folder)
    write(bench, jobs)
    engine = await Engine.start(bench, "run")
    await until(lambda: len(bench.accepted()) > 5)
    await until(lambda: is_sending(bench))
    await engine.kill()
    ended = await (await Engine.start(bench, "resume")).ended()
    doubtful = {key for key, state in bench.states().items() if state == "uncertain"}
    waiting = {key for key, state in bench.states().items() if state == "blocked"}
    assert ended["exit_code"] == 5, bench.states()
    assert doubtful
    for row in bench.manifest():
        if row["key"] in doubtful:
            assert (row["error"]["code"], row["attempts"][-1]["charged"]) == ("worker_lost", "possible")
        elif row["key"] not in waiting:
            assert row["state"] == "succeeded", row
    assert {key[:-1] for key in waiting} <= {"turn-", "edit-"}
    charged = bench.simulator.ledger.charged_prompts()
    assert set(charged.values()) == {1}
    assert len(charged) <= len(jobs) - len(waiting)
    await bench.app().resolve(lambda store, jobs: store.operators.resubmit(jobs), None, tuple(doubtful), None)
    assert (await bench.resume()).exit_code == 0, bench.states()
    assert_all_there(bench, jobs)


def one_of_each(folder: Path) -> list[Row]:
    """Return jobs that ask for one feature each, and for no account of their own."""
    mug, mask = str(picture(folder / "mug.png", 1)), str(picture(folder / "mask.png", 3, mode="RGBA"))
    return [
        {"id": "plain"},
        {"id": "two", "n": 2},
        {"id": "reference", "references": [mug]},
        {"id": "masked", "references": [mug], "mask": mask},
        {"id": "stream", "params": {"stream": True, "partial_images": 2}},
        {"id": "turn-1"},
        {"id": "turn-2", "continues": "turn-1"},
        {"id": "turn-3", "continues": "turn-2"},
    ]


NO_IMAGES = "references cannot be sent ({0} gpt-image-2); got 1"
NEEDS_IMAGES = "references must be 1 to 16 ({0} gpt-image-2); got 0"
NOT_HERE: Mapping[str, Mapping[str, str]] = {
    "openai": {},
    "ttapi": {},
    "gpt-image-2": {"stream": "stream is not a parameter (gpt-image-2 gpt-image-2)"},
    "toapis": {"stream": "stream cannot be sent (toapis gpt-image-2): tasks are asked for; they do not stream"},
    "chat": {
        "masked": "a mask cannot be sent (chat gpt-image-2)",
        "stream": "partial_images is not a parameter (chat gpt-image-2)",
    },
    "openai-responses": {
        "two": "one call makes one image (openai-responses gpt-image-2); got n 2 - set fan_out: true on the job",
        "stream": "stream is not a parameter (openai-responses gpt-image-2)",
    },
    **{
        name: {
            **dict.fromkeys(("reference", "masked"), NO_IMAGES.format(name)),
            **{
                f"turn-{n}": f"continues sends the image of turn-{n - 1} as a reference, and references cannot be" for n in (2, 3)
            },
        }
        for name in GENERATIONS
    },
    **{name: dict.fromkeys(("plain", "two", "stream", "turn-1"), NEEDS_IMAGES.format(name)) for name in EDITS},
    "ttapi-4o": {
        "": "model must be gpt-4o-image (ttapi-4o); got gpt-image-2 - set options.submit_path to ",
        "two": "n must be 1 (ttapi-4o gpt-image-2); got 2",
        **dict.fromkeys(("reference", "masked"), "reference 1 is a local file (ttapi-4o gpt-image-2)"),
        **{f"turn-{n}": f"ttapi-4o takes images as URLs only, and what turn-{n - 1} makes is a file" for n in (2, 3)},
    },
    "ttapi-dalle3": {"": "model must be dall-e-3 (ttapi-dalle3); got gpt-image-2 - endpoint: ttapi-images takes other models"},
}
"""Account -> the jobs that it cannot do, each with the beginning of the line that says so; no key where it concerns them all."""


async def problems_of(bench: Bench) -> dict[str, str]:
    """Return the first thing that `validate` holds against each job of the batch file, by key; nothing is stored or sent."""
    found: dict[str, str] = {}
    lines = bench.file.read_text(encoding="utf-8").splitlines()
    try:
        await App(Options(db=str(bench.database), out=str(bench.out))).validate(bench.file)
    except BadInput as bad:
        for problem in errors(bad.problems):
            assert problem.place is not None
            found.setdefault(_key_at(lines, problem.place.line), problem.message)
    return found


def _key_at(lines: list[str], number: int) -> str:
    """Return the key of the job in which a line of the batch file stands; empty above the jobs."""
    inside = lines[: number + (lines[number - 1].strip() == "{")]  # the id stands below the brace
    keys = [line.split('"')[3] for line in inside if '"id": ' in line]
    return keys[-1] if keys else ""


@pytest.mark.parametrize("account", NOT_HERE)
async def test_the_same_jobs_at_another_account_run_or_are_refused_by_name(open_bench: OpenBench, account: str) -> None:
    bench = await open_bench("openai")
    bench.database.unlink()
    jobs = one_of_each(bench.folder)
    write(bench, jobs, defaults={"account": account, "model": "gpt-image-2", "size": "1024x1024"})
    found = await problems_of(bench)
    assert found.keys() == NOT_HERE[account].keys()
    for key, line in NOT_HERE[account].items():
        assert found[key].startswith(line)
    if not NOT_HERE[account]:
        assert (await bench.run()).exit_code == 0, bench.states()
        assert_all_there(bench, jobs)
    else:
        assert not bench.database.exists()

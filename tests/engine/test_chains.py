"""Jobs that use what other jobs of their batch have made."""

import hashlib
import json
from typing import Any

import pytest

from orchestrator.jobs.places import BadInput

from .bench import query
from .conftest import OpenBench

SKETCH = {"id": "sketch", "prompt": "pencil sketch of a mug"}


def child(key: str, *parents: str, **fields: Any) -> dict[str, Any]:
    return {"id": key, "prompt": f"{key} of it", "references": [{"job": parent} for parent in parents], **fields}


def problems(error: pytest.ExceptionInfo[BadInput]) -> str:
    return "\n".join(str(problem) for problem in error.value.problems)


async def test_a_child_is_sent_with_the_image_of_its_parent(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    finished = await bench.run([child("red", "sketch"), SKETCH])
    assert finished.exit_code == 0, bench.states()
    assert bench.states() == {"red": "succeeded", "sketch": "succeeded"}
    parent, its_child = bench.accepted()
    assert parent.prompt == "pencil sketch of a mug"
    made = hashlib.sha256((bench.out / "spring" / "sketch-0.png").read_bytes()).hexdigest()
    assert [reference.sha256 for reference in its_child.references] == [made]
    assert query(bench.database, "SELECT role, image_index, used_sha256 FROM parent") == [("reference", 0, made)]


async def test_a_chain_goes_through_its_generations_in_order(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    finished = await bench.run([child("c", "b", "a"), child("b", "a"), {"id": "a", "prompt": "first"}])
    assert finished.exit_code == 0, bench.states()
    assert [submission.prompt for submission in bench.accepted()] == ["first", "b of it", "c of it"]
    files = [bench.out / "spring" / f"{key}-0.png" for key in ("b", "a")]
    sent = [reference.sha256 for reference in bench.accepted()[2].references]
    assert sent == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


async def test_children_of_a_failed_job_fail_by_name_and_are_revived_when_it_succeeds_after_all(open_bench: OpenBench) -> None:
    bench = await open_bench("openai", fail_containing="first")
    jobs = [{"id": "a", "prompt": "first"}, child("b", "a"), child("c", "b"), {"id": "z", "prompt": "other"}]
    finished = await bench.run(jobs)
    assert finished.exit_code == 1
    assert bench.states() == {"a": "failed", "b": "failed", "c": "failed", "z": "succeeded"}
    errors = {row["key"]: row["error"] for row in bench.manifest()}
    assert errors["b"]["code"] == errors["c"]["code"] == "parent_failed"
    assert "a failed" in errors["b"]["message"]


async def test_a_retried_parent_frees_the_children_that_failed_with_it(open_bench: OpenBench) -> None:
    bench = await open_bench("openai", fail_containing="first")
    jobs = [{"id": "a", "prompt": "first"}, child("b", "a"), child("c", "b")]
    assert (await bench.run(jobs)).exit_code == 1
    object.__setattr__(bench.simulator.options, "fail_containing", None)  # the same provider, in a better mood
    await bench.app().act(lambda store, selection: store.operators.retry(selection), "spring", ("a",))
    assert (await bench.resume()).exit_code == 0, bench.states()
    assert set(bench.states().values()) == {"succeeded"}


async def test_ties_that_lead_nowhere_are_problems_before_anything_is_stored(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    jobs = [child("a", "b"), child("b", "a"), child("c", "nobody"), {**SKETCH, "n": 2}, child("d", "sketch")]
    jobs[4]["references"] = [{"job": "sketch", "image": 2}]
    with pytest.raises(BadInput) as error:
        await bench.run(jobs)
    said = problems(error)
    assert "these jobs wait for each other: a -> b -> a" in said
    assert "c needs nobody, but no job of this file has that id" in said
    assert "image must be below 2: sketch makes 2 images, counted from 0; got 2" in said
    assert bench.accepted() == []


async def test_where_an_api_has_no_conversation_a_job_continues_the_image_of_its_parent(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    finished = await bench.run([SKETCH, {"id": "red", "prompt": "now red", "continues": "sketch"}])
    assert finished.exit_code == 0, json.dumps(bench.manifest(), indent=1)
    row = bench.manifest()[1]
    assert row["continues"] == "sketch"
    assert len(bench.accepted()[1].references) == 1
    assert len(bench.simulator.ledger.uploads) == 1


async def test_a_fan_out_sends_one_request_an_image_and_names_them_in_order(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis")
    finished = await bench.run([{"id": "mug", "prompt": "a mug", "n": 3, "fan_out": True}])
    assert finished.exit_code == 0, bench.manifest()
    assert [submission.n for submission in bench.accepted()] == [1, 1, 1]
    (row,) = bench.manifest()
    assert [image["file"] for image in row["images"]] == ["spring/mug-0.png", "spring/mug-1.png", "spring/mug-2.png"]
    assert [(attempt["part"], attempt["outcome"]) for attempt in row["attempts"]] == [(n, "delivered") for n in range(3)]


async def test_a_fan_out_that_loses_a_part_is_partial_and_goes_on(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", fail_rate=0.5, seed=2)
    finished = await bench.run([{"id": f"mug-{k}", "prompt": f"a mug {k}", "n": 4, "fan_out": True} for k in range(4)])
    assert finished.exit_code == 1
    rows = bench.manifest()
    assert all(len(row["attempts"]) == 4 for row in rows)
    assert {row["state"] for row in rows if row["images"]} == {"succeeded"}
    assert all(row["partial"] for row in rows if 0 < len(row["images"]) < 4)

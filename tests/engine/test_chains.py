"""Jobs that use what other jobs of their batch have made."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.board import Board
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.places import BadInput
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_responses import OpenAiResponses
from tests.clocks import FastClock

from .bench import SIDE, Bench, picture, query
from .conftest import OpenBench
from .processes import Engine, until

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


async def test_the_manifest_says_which_image_of_which_job_went_into_another(open_bench: OpenBench, tmp_path: Path) -> None:
    bench = await open_bench("openai")
    style = str(picture(tmp_path / "style.png", 1))
    pair = {**SKETCH, "id": "pair", "n": 2}
    red = {"id": "red", "prompt": "red", "references": [style, {"job": "pair", "image": 1}, {"job": "sketch"}]}
    assert (await bench.run([red, SKETCH, pair, {"id": "blue", "prompt": "blue", "continues": "sketch"}])).exit_code == 0
    rows = {row["key"]: row for row in bench.manifest()}
    made = {(key, image["index"]): image["sha256"] for key, row in rows.items() for image in row["images"]}
    assert rows["red"]["parents"] == [
        {"role": "reference", "job": "pair", "image": 1, "attempt": 1, "sha256": made["pair", 1]},
        {"role": "reference", "job": "sketch", "image": 0, "attempt": 1, "sha256": made["sketch", 0]},
    ]
    assert rows["blue"]["parents"] == [
        {"role": "continues", "job": "sketch", "image": 0, "attempt": 1, "sha256": made["sketch", 0]}
    ]
    assert rows["sketch"]["parents"] == []


async def test_a_child_that_was_never_sent_names_its_parent_and_no_image(open_bench: OpenBench) -> None:
    bench = await open_bench("openai", fail_containing="pencil")
    assert (await bench.run([child("red", "sketch"), SKETCH])).exit_code == 1
    unused = {"role": "reference", "job": "sketch", "image": 0, "attempt": None, "sha256": None}
    assert [row["parents"] for row in bench.manifest()] == [[unused], []]


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


TURNS: list[dict[str, Any]] = [
    {"id": "mug", "prompt": "a mug"},
    {"id": "red", "prompt": "now red", "continues": "mug"},
    {"id": "blue", "prompt": "now blue", "continues": "red"},
]


def remote_ids(bench: Bench) -> dict[str, str]:
    return dict(query(bench.database, "SELECT key, remote_id FROM attempt JOIN job ON job.id = job_id"))


def image(bench: Bench, key: str) -> str:
    """Return the SHA-256 of a job's saved image."""
    return hashlib.sha256((bench.out / "spring" / f"{key}-0.png").read_bytes()).hexdigest()


async def test_three_turns_are_one_conversation_where_the_api_remembers_it(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", duration=5.0)
    assert (await bench.run(TURNS[::-1])).exit_code == 0, bench.states()
    mug, red, blue = (submission.body for submission in bench.accepted())
    known = remote_ids(bench)
    assert "previous_response_id" not in mug
    assert (red["previous_response_id"], red["input"]) == (known["mug"], "now red")
    assert (blue["previous_response_id"], blue["input"]) == (known["red"], "now blue")


async def test_an_account_may_go_on_with_the_image_alone(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", duration=5.0, account={"options": {"conversation": "image_call"}})
    assert (await bench.run(TURNS)).exit_code == 0, bench.states()
    _, red, blue = (submission.body for submission in bench.accepted())
    calls = [body["input"][1] for body in (red, blue)]
    assert [call["type"] for call in calls] == ["image_generation_call"] * 2
    assert len({call["id"] for call in calls}) == 2
    assert "previous_response_id" not in red


@pytest.mark.parametrize("option", ["response", "image_call"])
async def test_after_several_requests_the_one_that_made_the_first_image_is_gone_on_with(
    open_bench: OpenBench, option: str
) -> None:
    bench = await open_bench("openai-responses", duration=5.0, account={"options": {"conversation": option}})
    assert (await bench.run([{**TURNS[0], "n": 2, "fan_out": True}, TURNS[1]])).exit_code == 0, bench.states()
    ((first, words),) = query(
        bench.database, "SELECT remote_id, words FROM attempt JOIN job ON job.id = job_id WHERE key = 'mug' AND attempt.part = 0"
    )
    red = bench.accepted()[2].body
    named = red["input"][1]["id"] if option == "image_call" else red["previous_response_id"]
    assert named == (json.loads(words)["images"][0] if option == "image_call" else first)


async def test_an_account_of_the_family_begins_a_conversation_with_the_image_it_made_elsewhere(open_bench: OpenBench) -> None:
    bench = await open_bench("openai", duration=5.0)
    assert (await bench.run(TURNS)).exit_code == 0, bench.states()
    mug, red, blue = bench.accepted()
    assert [one.endpoint for one in (mug, red, blue)] == ["images/generations", "responses", "responses"]
    assert [reference.sha256 for reference in red.references] == [image(bench, "mug")]
    assert "previous_response_id" not in red.body
    assert (blue.body["previous_response_id"], blue.references) == (remote_ids(bench)["red"], ())


async def test_a_turn_that_was_not_stored_is_gone_on_with_by_its_image(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", account={"options": {"mode": "synchronous"}})
    unstored = [{**TURNS[0], "params": {"store": False}}, *TURNS[1:]]
    assert (await bench.run(unstored)).exit_code == 0, bench.states()
    _, red, blue = bench.accepted()
    assert [reference.sha256 for reference in red.references] == [image(bench, "mug")]
    assert "previous_response_id" in blue.body


async def test_the_image_of_a_parent_goes_before_the_jobs_own_and_carries_the_mask(open_bench: OpenBench, tmp_path: Path) -> None:
    bench = await open_bench("openai-responses", account={"options": {"mode": "synchronous"}})
    style, mask = picture(tmp_path / "style.png", 1), picture(tmp_path / "mask.png", 2, side=SIDE, mode="RGBA")
    going_on = {**TURNS[1], "references": [str(style), {"job": "mug"}], "mask": str(mask)}
    assert (await bench.run([{**TURNS[0], "params": {"store": False}}, going_on])).exit_code == 0, bench.manifest()
    sent = [reference.sha256 for reference in bench.accepted()[1].references]
    assert sent == [image(bench, "mug"), hashlib.sha256(style.read_bytes()).hexdigest(), image(bench, "mug")]
    parents = query(bench.database, "SELECT role, used_sha256 IS NOT NULL FROM parent ORDER BY slot")
    assert parents == [("continues", 1), ("reference", 1)]


@pytest.mark.parametrize("child_of", ["openai-responses", "openai-edits"])
async def test_a_chain_across_accounts_goes_on_with_the_image(open_bench: OpenBench, child_of: str) -> None:
    bench = await open_bench("openai-responses", account={"options": {"mode": "synchronous"}})
    bench.write([TURNS[0], {**TURNS[1], "account": "other"}, {**TURNS[2], "account": "other"}])
    batch = json.loads(bench.file.read_text())
    batch["accounts"]["other"] = {"provider": child_of, "base_url": bench.simulator.url_for(child_of)}
    bench.file.write_text(json.dumps(batch))
    assert (await bench.run()).exit_code == 0, bench.events
    _, red, blue = bench.accepted()
    assert [reference.sha256 for reference in red.references] == [image(bench, "mug")]
    if child_of == "openai-responses":
        assert (blue.body["previous_response_id"], blue.references) == (remote_ids(bench)["red"], ())
    else:
        assert [reference.sha256 for reference in blue.references] == [image(bench, "red")]


async def test_a_conversation_that_the_api_has_forgotten_is_gone_on_with_by_the_image(
    open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await open_bench("openai-responses", duration=5.0)
    assert (await bench.run([TURNS[0]])).exit_code == 0

    def forget(_self: OpenAiResponses, name: str) -> None:
        raise complaint(f"{name} not found.", param="previous_response_id", code="previous_response_not_found")

    monkeypatch.setattr(OpenAiResponses, "_check_response", forget)
    assert (await bench.run(TURNS[:2])).exit_code == 0, bench.states()
    refused, sent = bench.simulator.ledger.submissions[1:]
    assert (refused.charged, refused.status) == (False, 400)
    assert refused.body["previous_response_id"] == remote_ids(bench)["mug"]
    assert [reference.sha256 for reference in sent.references] == [image(bench, "mug")]
    assert "previous_response_id" not in sent.body


@pytest.mark.slow
async def test_a_chain_goes_on_after_a_kill_and_pays_each_turn_once(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-responses", clock=FastClock(40.0), duration=20.0)
    bench.write(TURNS)
    engine = await Engine.start(bench, "run")
    await until(lambda: bench.database.exists() and len(bench.accepted()) == 2 and bench.states()["red"] == "running")
    await engine.kill()
    assert bench.states() == {"mug": "succeeded", "red": "running", "blue": "blocked"}
    words = await (await Engine.start(bench, "resume")).ended()
    assert words["exit_code"] == 0, bench.states()
    known = remote_ids(bench)
    assert [one.body.get("previous_response_id") for one in bench.accepted()] == [None, known["mug"], known["red"]]


async def test_an_api_that_takes_urls_only_says_what_would_do_for_the_image_of_another_job(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    bench.write([SKETCH])
    batch = json.loads(bench.file.read_text())
    batch["accounts"]["jobs"] = {"provider": "ttapi-4o", "base_url": bench.simulator.url_for("ttapi-4o")}
    batch["accounts"]["all"] = {"provider": "ttapi", "base_url": bench.simulator.url_for("ttapi-4o")}
    del batch["defaults"]["size"]
    asked = {"prompt": "draw it", "model": "gpt-4o-image"}
    batch["jobs"] += [{**child("a", "sketch"), **asked, "account": "jobs"}, {**child("b", "sketch"), **asked, "account": "all"}]
    bench.file.write_text(json.dumps(batch))
    with pytest.raises(BadInput) as error:
        await bench.run()
    said = problems(error)
    why = "ttapi-4o takes images as URLs only, and what sketch makes is a file here"
    assert f"{why}; use an account of an API that takes files or uploads them, such as toapis" in said
    assert f"{why}; use a model of ttapi-edits" in said
    assert bench.simulator.ledger.submissions == []


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


async def test_the_figures_of_a_chain_add_up_at_every_moment(open_bench: OpenBench) -> None:
    bench = await open_bench("openai")
    boards: list[Board] = []
    counts: list[dict[State, int]] = []
    rows = [SKETCH, child("red", "sketch"), child("blue", "sketch"), child("last", "red", "blue")]
    finished = await bench.app().run(
        bench.write(rows),
        [lambda _event: counts.extend(dict(board.states) for board in boards)],
        lambda _runtime, board: boards.append(board),
    )
    assert finished.exit_code == 0
    assert {sum(states.values()) for states in counts} == {4}
    assert min(min(states.values()) for states in counts) >= 0


@pytest.mark.parametrize("allowed", [True, False])
async def test_what_a_parent_made_is_made_to_fit_where_its_childs_account_allows_it(open_bench: OpenBench, allowed: bool) -> None:
    bench = await open_bench("openai", account={"black_white_masks": allowed})
    masked = child("red", "sketch", mask={"job": "sketch"})
    assert (await bench.run([SKETCH, masked])).exit_code == (0 if allowed else 1)
    assert bench.states()["red"] == ("succeeded" if allowed else "failed")
    assert len(bench.accepted()) == 1 + allowed, "an opaque mask is nothing to pay for"

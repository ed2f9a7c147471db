"""Every JSON example of the providers' documents is a fixture, and is built or read as it stands there."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.jobs.reports import Output

from .making import answer, images, order, responses, sample

HERE = Path(__file__).parent
DOCUMENTS: dict[str, tuple[str, ...]] = {
    "000": ("toapis_minimal_request", "toapis_minimal_answer"),
    "001": (
        "images_url", "images_base64", "edits_base64", "dalle3_url", "dalle3_refusal",
        "ttapi_4o_accepted", "ttapi_4o_refusal", "ttapi_4o_on_queue", "ttapi_4o_success", "ttapi_4o_failed",
    ),
    "002": ("relay_generation", "relay_edit", "relay_answer"),
    "003": ("chat_request", "chat_minimal_request", "chat_answer"),
    "004": ("guide_generation_request", "guide_image_call", "guide_transparent_request"),
}  # fmt: skip
"""Document -> its examples in JSON."""


def test_there_are_as_many_fixtures_as_the_documents_have_examples() -> None:
    assert {document: len(names) for document, names in DOCUMENTS.items()} == {"000": 2, "001": 10, "002": 3, "003": 3, "004": 3}
    listed = {name for names in DOCUMENTS.values() for name in names}
    assert listed == {path.stem for path in (HERE / "samples").glob("*.json")}


@pytest.mark.parametrize("name", [name for names in DOCUMENTS.values() for name in names])
def test_every_fixture_is_json_and_some_test_stands_on_it(name: str) -> None:
    assert json.loads(sample(f"{name}.json"))
    assert any(f'"{name}' in path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py") if path != Path(__file__)) or (
        name in DOCUMENTS["004"]  # below
    )


@pytest.mark.parametrize("name", ["guide_generation_request", "guide_transparent_request"])
def test_the_guides_requests_are_part_of_ours(name: str) -> None:
    guide: dict[str, Any] = json.loads(sample(f"{name}.json"))
    job: dict[str, Any] = {field: guide[field] for field in ("model", "prompt", "size") if field in guide}
    params = {field: value for field, value in guide.items() if field not in job}
    request = images().submission(order("openai-images", job={**job, "params": params}))
    assert guide.items() <= json.loads(request.json or b"").items()


def test_the_guides_image_call_is_an_image_with_its_better_prompt() -> None:
    call: dict[str, Any] = json.loads(sample("guide_image_call.json"))
    report = responses().read_status(answer({"id": "resp_1", "status": "completed", "output": [call]}))
    (output,) = report.outputs
    assert (output.base64, output.revised_prompt) == (call["result"], call["revised_prompt"])
    assert isinstance(output, Output)

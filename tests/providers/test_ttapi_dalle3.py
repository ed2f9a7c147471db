import json
from datetime import UTC, datetime

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Status

from .making import answer, sample
from .relays import adapter, errors, order, warnings

DALLE3 = "ttapi-dalle3"


def test_the_guides_request_is_ours_with_model_and_number_said() -> None:
    request = adapter(DALLE3).submission(order(DALLE3, job={"prompt": "a cute cat", "size": "1024x1024"}))
    assert (request.method, request.url) == ("POST", "https://api.ttapi.org/openai/v1/images/generations")
    assert request.auth == ("TT-API-KEY", "")
    assert request.json == b'{"model":"dall-e-3","prompt":"a cute cat","n":1,"size":"1024x1024"}'
    hd = adapter(DALLE3).submission(order(DALLE3, job={"size": "1024x1792 ", "params": {"quality": "hd"}}))
    assert json.loads(hd.json or b"") == {
        "model": "dall-e-3", "prompt": "draw a mug", "n": 1, "size": "1024x1792", "quality": "hd",
    }  # fmt: skip


def test_the_guides_answer_is_one_image_with_the_life_its_own_link_states() -> None:
    report = adapter(DALLE3).read_submission(answer(sample("dalle3_url.json")))
    (output,) = report.outputs
    assert (report.status, report.completed_at) == (Status.SUCCEEDED, 1713577682.0)
    assert (output.url or "").startswith("https://dalleprodaue.blob.core.windows.net/private/images/")
    assert (output.revised_prompt or "").startswith("A serene, domestic scene")
    # `se`, a day after `created`; `ske`, the end of the signing key, is six days later.
    assert report.expires_at == datetime(2024, 4, 21, 1, 48, 14, tzinfo=UTC).timestamp()
    assert adapter(DALLE3).capabilities.trusts_expiry


def test_a_link_that_states_no_end_leaves_it_to_the_account() -> None:
    body = {
        "status": "SUCCESS",
        "message": "success",
        "data": {"created": 1, "data": [{"url": "https://r.example/1.png?ske=2030-01-01"}]},
    }
    assert adapter(DALLE3).read_submission(answer(body)).expires_at is None


def test_the_answer_of_the_other_path_is_read_here_too() -> None:
    assert len(adapter(DALLE3).read_submission(answer(sample("images_url.json"))).outputs) == 1


def test_the_guides_refusal_is_read() -> None:
    failure = adapter(DALLE3).read_failure(answer(sample("dalle3_refusal.json"), status=400))
    assert (failure.code, failure.http_status) == (ErrorCode.INVALID_REQUEST, 400)
    assert failure.message == 'For the dall-e-3 model, "size" must be one of 1024x1024, 1792x1024, or 1024x1792.'


@pytest.mark.parametrize("size", [None, "", " "])
def test_a_size_is_required(size: str | None) -> None:
    assert errors(DALLE3, size=size) == [
        "size is required (ttapi-dalle3 dall-e-3); give one of 1024x1024, 1024x1792, 1792x1024"
    ]  # fmt: skip


def test_another_model_is_refused_with_the_way_to_it() -> None:
    assert errors(DALLE3, model="gpt-image-1") == [
        "model must be dall-e-3 (ttapi-dalle3); got gpt-image-1 - endpoint: ttapi-images takes other models"
    ]


def test_that_the_model_is_gone_upstream_is_a_warning() -> None:
    assert errors(DALLE3) == []
    assert [warning[:25] for warning in warnings(DALLE3)] == ["OpenAI shut down dall-e-3"]

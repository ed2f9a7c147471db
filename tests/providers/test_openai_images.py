import json
from typing import Any

import pytest

from orchestrator.jobs.deadlines import deadline, signed_expiry
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Status
from orchestrator.providers.base import Provider, Shape
from orchestrator.transport.messages import Unreadable

from .making import answer, edits, images, order, sample


def test_it_answers_at_once() -> None:
    adapter = images()
    assert isinstance(adapter, Provider)
    assert adapter.capabilities.shape is Shape.SYNCHRONOUS


def test_the_smallest_request_names_the_model_and_leaves_the_size_to_it() -> None:
    request = images().submission(order("openai-images"))
    assert request.json == b'{"model":"gpt-image-2","prompt":"a mug","n":1}'
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/images/generations")
    assert (request.form, request.auth) == (None, ("Authorization", "Bearer "))


def test_a_full_request_has_its_fields_in_the_documented_order() -> None:
    params = {
        "user": "u",
        "moderation": "low",
        "output_compression": 80,
        "output_format": "webp",
        "background": "opaque",
        "quality": "low",
    }
    job = {"n": 2, "size": "1024x1024 ", "params": params, "extra": {"seed": 7, "quality": "high"}}
    request = images().submission(order("openai-images", job=job, at={"base_url": "https://relay.example/openai/v1"}))
    assert request.url == "https://relay.example/openai/v1/images/generations"
    assert request.json == (
        b'{"model":"gpt-image-2","prompt":"a mug","n":2,"size":"1024x1024","quality":"high","background":"opaque",'
        b'"output_format":"webp","output_compression":80,"moderation":"low","user":"u","seed":7}'
    )


def test_text_of_any_script_is_sent_as_it_is() -> None:
    prompt = 'дом 家 🏠 \u2028 "quoted" \\ \n'
    request = images().submission(order("openai-images", job={"prompt": prompt}))
    assert request.json is not None
    assert json.loads(request.json)["prompt"] == prompt
    assert "家 🏠".encode() in request.json


def test_the_sample_with_a_url_is_one_image_with_its_prompt() -> None:
    body = json.loads(sample("images_url.json"))
    report = images().read_submission(answer(sample("images_url.json")))
    assert report.status is Status.SUCCEEDED
    assert report.outputs == (Output(url=body["data"][0]["url"], revised_prompt=body["data"][0]["revised_prompt"]),)
    assert (report.completed_at, report.usage, report.remote_id) == (1745818538.0, {}, None)


def test_the_sample_with_base64_is_one_image_with_its_usage() -> None:
    report = images().read_submission(answer(sample("images_base64.json"), x_request_id="req_1"))
    assert report.outputs == (Output(base64="iVBORw0KGgoAAAANSUhE..."),)
    assert (report.usage["output_tokens"], report.request_id) == (4160, "req_1")


def test_the_sample_of_an_edit_is_read_alike() -> None:
    report = edits().read_submission(answer(sample("edits_base64.json")))
    assert report.outputs == (Output(base64="..."),)
    assert report.usage["input_tokens_details"] == {"text_tokens": 10, "image_tokens": 40}


def test_the_link_in_the_sample_dies_by_its_own_signature_not_by_that_of_its_key() -> None:
    inner = json.loads(sample("dalle3_url.json"))["data"]
    report = images().read_submission(answer(inner))
    url, created = report.outputs[0].url, report.completed_at
    assert url is not None
    assert created == 1713577682.0
    assert signed_expiry(url) == created + 24 * 3600 + 12
    known = deadline(since=created, url=url, stated=None, url_lifetime=7 * 24 * 3600.0, trust_stated=False)
    assert known == 1713664094.0


def test_the_sample_of_a_refusal_is_read_in_the_relays_words() -> None:
    failure = images().read_failure(answer(sample("dalle3_refusal.json"), status=400))
    assert failure.code is ErrorCode.INVALID_REQUEST
    assert failure.message == 'For the dall-e-3 model, "size" must be one of 1024x1024, 1792x1024, or 1024x1792.'


def test_bytes_that_are_here_win_over_a_link_to_them() -> None:
    items = [
        {"b64_json": "aGk=", "url": "https://x.example"},
        {"b64_json": "", "url": "https://y.example"},
        {"url": "data:image/png;base64,aA=="},
    ]
    report = images().read_submission(answer({"created": 1, "data": items}))
    assert report.outputs == (Output(base64="aGk="), Output(url="https://y.example"), Output(base64="data:image/png;base64,aA=="))


@pytest.mark.parametrize("data", [[], [{}], [{"url": ""}], [None], [{"b64_json": 7}]])
def test_an_answer_without_an_image_is_a_failure_that_keeps_its_usage(data: list[Any]) -> None:
    report = images().read_submission(answer({"created": 1, "data": data, "usage": {"output_tokens": 3}}))
    assert report.failure is not None
    assert (report.status, report.failure.code, report.usage) == (Status.FAILED, ErrorCode.NO_IMAGE, {"output_tokens": 3})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"message": "no", "code": "moderation_blocked"}}, ErrorCode.REFUSED),
        ({"error": {"message": "no", "type": "insufficient_quota"}}, ErrorCode.QUOTA),
        ({"error": {"message": "odd"}, "data": []}, ErrorCode.GENERATION_FAILED),
        ({"error": "odd"}, ErrorCode.GENERATION_FAILED),
        ({"status": "FAILED", "message": "odd", "data": None}, ErrorCode.GENERATION_FAILED),
    ],
)
def test_an_error_with_status_200_is_a_failure(body: dict[str, Any], code: ErrorCode) -> None:
    report = images().read_submission(answer(body))
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.FAILED, code)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"data: {}\n\n", b'{"choices":[]}', b"[]", b'{"data":{"url":"x"}}', b'{"data":[{"url":"h']
)
def test_any_other_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        images().read_submission(answer(body))


@pytest.mark.parametrize("created", [0, True, "1", None, -1])
def test_an_odd_time_of_creation_is_unknown(created: Any) -> None:
    report = images().read_submission(answer({"created": created, "data": [{"url": "https://x.example"}]}))
    assert report.completed_at is None or created is True


def test_planner_tokens_are_kept_with_the_usage() -> None:
    body = {"data": [{"b64_json": "aA=="}], "usage": {"output_tokens": 1}, "svg_usage": {"total_tokens": 9}}
    assert images().read_submission(answer(body)).usage == {"output_tokens": 1, "svg_usage": {"total_tokens": 9}}

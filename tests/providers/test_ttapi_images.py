import json
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Status
from orchestrator.providers.base import Shape
from orchestrator.transport.messages import Unreadable

from .making import answer, sample
from .relays import account, adapter, errors, order, spec, warnings

IMAGES = "ttapi-images"


def test_the_guides_request_is_ours_with_the_number_of_images_said() -> None:
    request = adapter(IMAGES).submission(order(IMAGES, job={"prompt": "a cute cat", "model": "gpt-image-1", "size": "1024x1024"}))
    assert (request.method, request.url) == ("POST", "https://api.ttapi.org/v1/images/generations")
    assert request.auth == ("TT-API-KEY", "")
    assert request.json == b'{"model":"gpt-image-1","prompt":"a cute cat","n":1,"size":"1024x1024"}'


def test_the_blank_behind_a_size_in_the_guides_sample_is_trimmed() -> None:
    job = {"size": "1024x1024 "}
    assert errors(IMAGES, **job) == []
    request = adapter(IMAGES).submission(order(IMAGES, job=job))
    assert json.loads(request.json or b"")["size"] == "1024x1024"


def test_every_field_has_its_place() -> None:
    params = {
        "user": "u", "moderation": "low", "output_compression": 80, "output_format": "webp", "background": "opaque",
        "quality": "low",
    }  # fmt: skip
    request = adapter(IMAGES).submission(order(IMAGES, job={"n": 2, "params": params, "extra": {"seed": 7}}))
    assert request.json == (
        b'{"model":"gpt-image-1","prompt":"draw a mug","n":2,"quality":"low","background":"opaque","output_format":"webp",'
        b'"output_compression":80,"moderation":"low","user":"u","seed":7}'
    )


def test_the_key_may_travel_as_a_bearer() -> None:
    request = adapter(IMAGES).submission(order(IMAGES, at={"options": {"auth": "bearer"}}))
    assert request.auth == ("Authorization", "Bearer ")
    assert adapter(IMAGES).options()["auth"] == ("tt-api-key", "bearer")


def test_the_guides_links_are_read_with_the_prompt_as_it_was_changed() -> None:
    report = adapter(IMAGES).read_submission(answer(sample("images_url.json")))
    (output,) = report.outputs
    assert (report.status, report.completed_at) == (Status.SUCCEEDED, 1745818538.0)
    assert output.url == "https://filesystem.site/cdn/20250428/5LsFMT0Def02RVVUkwJ4v7IslleMzo.webp"
    assert (output.revised_prompt or "").startswith("A cute fluffy cat")
    assert report.expires_at is None


def test_the_guides_bytes_are_read_with_their_usage() -> None:
    report = adapter(IMAGES).read_submission(answer(sample("images_base64.json")))
    assert [output.base64 for output in report.outputs] == ["iVBORw0KGgoAAAANSUhE..."]
    assert (report.usage["input_tokens"], report.usage["output_tokens"]) == (9, 4160)


def test_images_in_the_envelope_of_the_older_path_are_read_here_too() -> None:
    report = adapter(IMAGES).read_submission(answer(sample("dalle3_url.json")))
    assert (report.status, len(report.outputs), report.completed_at) == (Status.SUCCEEDED, 1, 1713577682.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"status": "FAILED", "message": "no capacity", "data": None}, "no capacity"),
        ({"status": "FAILED", "message": "", "data": None}, "TTAPI says FAILED and gives no reason"),
        ({"error": {"message": "no capacity"}}, "no capacity"),
    ],
)
def test_a_no_with_status_200_is_a_failure(body: dict[str, Any], message: str) -> None:
    report = adapter(IMAGES).read_submission(answer(body))
    assert report.status is Status.FAILED
    assert report.failure is not None
    assert (report.failure.code, report.failure.message) == (ErrorCode.GENERATION_FAILED, message)


def test_images_beside_the_word_failed_are_not_thrown_away() -> None:
    body = {"status": "FAILED", "message": "late", "data": {"created": 1, "data": [{"url": "https://r.example"}]}}
    assert adapter(IMAGES).read_submission(answer(body)).outputs == (Output(url="https://r.example"),)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"status":"SUCCESS","data":{"jobId":"j"}}', b'{"data":"x"}'])
def test_another_answer_is_unreadable_and_thus_held(body: bytes) -> None:
    with pytest.raises(Unreadable):
        adapter(IMAGES).read_submission(answer(body))


def test_a_streamed_answer_is_read_as_openais() -> None:
    event = {"type": "image_generation.completed", "b64_json": "aGk=", "created_at": 3}
    stream = f"event: image_generation.completed\ndata: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    report = adapter(IMAGES).read_submission(answer(stream, content_type="text/event-stream"))
    assert [output.base64 for output in report.outputs] == ["aGk="]


def test_what_ttapi_takes_for_an_image_is_not_published_and_so_not_invented() -> None:
    images, job = adapter(IMAGES), spec(IMAGES)
    report = images.read_submission(answer(sample("images_base64.json")))
    assert images.estimate(job, account(IMAGES)).worst is None
    assert images.cost(job, account(IMAGES), report) is None
    own = account(IMAGES, prices={"gpt-image-1": {"per_image": "0.05"}})
    assert str(images.cost(job, own, report)) == "0.05"


@pytest.mark.parametrize(
    ("model", "start"),
    [
        ("dall-e-3", "OpenAI shut down dall-e-3 on 2026-05-12; TTAPI may refuse it"),
        ("dall-e-2", "OpenAI shut down dall-e-2 on 2026-05-12"),
        ("gpt-image-1", "OpenAI shut down gpt-image-1 on 2026-10-23"),
        ("gpt-image-1.5", "OpenAI will shut down gpt-image-1.5 on 2026-12-01"),
    ],
)
def test_a_model_that_is_gone_upstream_is_warned_about_and_never_refused(model: str, start: str) -> None:
    assert errors(IMAGES, model=model) == []
    (warning,) = warnings(IMAGES, model=model)
    assert warning.startswith(start)
    assert warnings(IMAGES, model=model, at={"base_url": "https://relay.example"}) == []


def test_a_living_model_is_not_warned_about() -> None:
    assert warnings(IMAGES, model="gpt-image-2") == []


def test_it_answers_within_the_request() -> None:
    assert adapter(IMAGES).capabilities.shape is Shape.SYNCHRONOUS
    assert adapter(IMAGES).default_base_url == "https://api.ttapi.org"
    assert adapter(IMAGES).default_key_variable == "TTAPI_API_KEY"

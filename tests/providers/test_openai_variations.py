from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Status
from orchestrator.providers.base import Inputs, Shape, UrlInput

from .making import PNG, REMOTE, answer, local
from .relays import adapter, errors, order, spec, warnings

API = "openai-variations"
WHERE = "(openai-variations dall-e-2)"
FIT = "; fit_references: true on the account lets it be converted and shrunk"
UNSENT = f"the prompt is not sent: a variation has none {WHERE}; it only names the job"


def parts(**fields: Any) -> list[tuple[str, bytes, str | None]]:
    request = adapter(API).submission(order(API, references=(PNG,), **fields))
    assert request.json is None
    return [(part.name, part.content, part.filename) for part in request.form or ()]


def test_it_answers_at_once_and_takes_the_image_in_the_request() -> None:
    found = adapter(API)
    assert (found.capabilities.shape, found.capabilities.inputs) == (Shape.SYNCHRONOUS, Inputs.CONTENT)
    assert (found.default_base_url, found.default_key_variable) == ("https://api.openai.com", "OPENAI_API_KEY")


def test_the_smallest_form_has_the_image_the_model_and_how_many() -> None:
    assert parts() == [("image", PNG.content, "mug.png"), ("model", b"dall-e-2", None), ("n", b"1", None)]
    assert adapter(API).submission(order(API, references=(PNG,))).url == "https://relay.example/v1/images/variations"


def test_every_field_has_its_place_and_the_prompt_none() -> None:
    job = {"n": 10, "size": "256x256", "params": {"user": "u", "response_format": "b64_json"}}
    assert [(name, content) for name, content, _ in parts(job=job)[1:]] == [
        ("model", b"dall-e-2"), ("n", b"10"), ("size", b"256x256"), ("response_format", b"b64_json"), ("user", b"u"),
    ]  # fmt: skip


def test_a_url_cannot_stand_in_the_form() -> None:
    with pytest.raises(TypeError, match="takes files"):
        adapter(API).submission(order(API, references=(UrlInput(url=REMOTE.url),)))


@pytest.mark.parametrize(
    "fields",
    [
        *(pytest.param({"size": size}, id=f"size {size}") for size in ("256x256", "512x512", "1024x1024")),
        *(pytest.param({"params": {"response_format": value}}, id=f"as {value}") for value in ("url", "b64_json")),
        pytest.param({"n": 1}, id="smallest n"),
        pytest.param({"n": 10}, id="largest n"),
        pytest.param({"params": {"user": "u"}}, id="user"),
        pytest.param({"references": (local(size=4 * 2**20 - 1),)}, id="largest file"),
    ],
)
def test_what_is_documented_may_be_sent_and_the_unsent_prompt_is_named(fields: dict[str, Any]) -> None:
    assert (errors(API, **fields), warnings(API, **fields)) == ([], [UNSENT])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"n": 0}, f"n must be a whole number from 1 to 10 {WHERE}; got 0", id="n too small"),
        pytest.param({"n": 11}, f"n must be a whole number from 1 to 10 {WHERE}; got 11", id="n too large"),
        pytest.param(
            {"size": "1024x1536"},
            f"size must be one of 256x256, 512x512, 1024x1024 {WHERE}; got 1024x1536 - did you mean 1024x1024?",
            id="size",
        ),
        pytest.param(
            {"params": {"response_format": "png"}},
            f"response_format must be one of url, b64_json {WHERE}; got png",
            id="answer form",
        ),
        pytest.param({"params": {"user": 1}}, f"user must be text {WHERE}; got 1", id="user"),
        pytest.param(
            {"params": {"quality": "hd"}},
            f"quality is not a parameter {WHERE}; use extra: to send it as it is",
            id="a field of generations",
        ),
        pytest.param({"references": ()}, f"references must be 1 to 1 {WHERE}; got 0", id="no image"),
        pytest.param({"references": (local(), local())}, f"references must be 1 to 1 {WHERE}; got 2", id="two images"),
        pytest.param(
            {"references": (local(format="jpeg"),)}, f"reference 1 must be one of png {WHERE}; got jpeg{FIT}", id="jpeg"
        ),
        pytest.param(
            {"references": (local(width=512, height=511),)}, f"reference 1 must be square {WHERE}; got 512x511", id="not square"
        ),
        pytest.param(
            {"references": (local(size=4 * 2**20),)},
            f"reference 1 must be at most 4.00 MiB {WHERE}; got 4.00 MiB{FIT}",
            id="4 MB",
        ),
        pytest.param({"mask": local(alpha=True)}, f"a mask cannot be sent {WHERE}", id="mask"),
    ],
)
def test_what_would_be_refused_is_said_before_anything_is_sent(fields: dict[str, Any], message: str) -> None:
    assert errors(API, **fields) == [message]


def test_at_openai_itself_the_model_is_gone() -> None:
    home = {"base_url": "https://api.openai.com"}
    (message,) = errors(API, at=home)
    assert message == "model dall-e-2 was shut down at api.openai.com on 2026-05-12, or set allow_retired on the account"
    assert errors(API, at={**home, "allow_retired": True}) == []


def test_the_answer_is_that_of_generations() -> None:
    report = adapter(API).read_submission(
        answer({"created": 1, "data": [{"url": "https://a.example/1.png"}, {"b64_json": "aGk="}]})
    )
    assert (report.status, report.outputs) == (
        Status.SUCCEEDED,
        (Output(url="https://a.example/1.png"), Output(base64="aGk=")),
    )
    gone = {"error": {"message": "The model 'dall-e-2' does not exist", "code": "model_not_found"}}
    assert adapter(API).read_failure(answer(gone, status=404)).code is ErrorCode.INVALID_REQUEST


def test_the_catalogs_price_counts_at_openai_only() -> None:
    home = order(API, at={"base_url": "https://api.openai.com"}).account
    assert adapter(API).estimate(spec(API, n=2, size="512x512"), home).worst == Decimal("0.036")
    assert adapter(API).estimate(spec(API), order(API).account).worst is None

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Status
from orchestrator.jobs.spec import RemoteImage
from orchestrator.providers.base import Inputs, Shape, TaskProvider, UrlInput

from .making import PNG, REMOTE, answer, local, sample
from .relays import adapter, errors, order, spec, warnings

RELAY = "gpt-image-2"
WHERE = "(gpt-image-2 gpt-image-2)"
LISTED = "1024x768, 768x1024, 1024x1024, 1536x864, 864x1536, 1920x1080, 1080x1920, 1536x1536, 2048x2048, 3840x2160, 2160x3840"
COMMON = LISTED.split(", ")
INPUT = UrlInput(url="https://example.com/input.png")


def body(**fields: Any) -> dict[str, Any]:
    request = adapter(RELAY).submission(order(RELAY, **fields))
    written: dict[str, Any] = json.loads(request.json or b"")
    return written


def test_it_answers_at_once_has_no_host_of_its_own_and_follows_tasks() -> None:
    relay = adapter(RELAY)
    assert (relay.capabilities.shape, relay.capabilities.inputs) == (Shape.SYNCHRONOUS, Inputs.CONTENT)
    assert relay.default_base_url == ""
    assert isinstance(relay, TaskProvider)


def test_the_sample_of_a_generation_is_written_as_documented() -> None:
    expected = json.loads(sample("relay_generation.json"))
    job = {"prompt": expected["prompt"], "size": "1024x768", "params": {"quality": "low", "output_format": "webp"}}
    request = adapter(RELAY).submission(order(RELAY, job=job))
    assert json.loads(request.json or b"") == expected
    assert (request.method, request.url, request.form) == ("POST", "https://relay.example/v1/images/generations", None)
    assert request.auth == ("Authorization", "Bearer ")


def test_the_sample_of_an_edit_is_written_as_documented() -> None:
    expected = json.loads(sample("relay_edit.json"))
    job = {"prompt": expected["prompt"], "params": {"quality": "medium", "output_format": "png"}}
    request = adapter(RELAY).submission(order(RELAY, job=job, references=(INPUT,)))
    assert json.loads(request.json or b"") == expected
    assert (request.url, request.form) == ("https://relay.example/v1/images/edits", None)


def test_the_smallest_request_names_the_quality_that_decides_the_price() -> None:
    request = adapter(RELAY).submission(order(RELAY, at={"base_url": "https://relay.example/api/v1/"}))
    assert request.url == "https://relay.example/api/v1/images/generations"
    assert request.json == (
        b'{"model":"gpt-image-2","prompt":"a mug","size":"1024x1024","quality":"medium","n":1,"response_format":"url"}'
    )


def test_several_references_are_an_array_in_their_order() -> None:
    written = body(references=(INPUT, PNG))
    assert written["images"] == [INPUT.url, "data:image/png;base64," + base64.b64encode(PNG.content).decode()]
    assert "image" not in written


def test_the_account_says_how_images_stand_in_an_edit() -> None:
    options = {"image_form": "object", "mask_form": "string"}
    written = body(references=(INPUT,), mask=UrlInput(url=REMOTE.url), at={"options": options})
    assert written["image"] == {"image_url": INPUT.url}
    assert written["mask"] == REMOTE.url
    several = body(references=(INPUT, INPUT), mask=PNG, at={"options": {"image_form": "object", "mask_form": "object"}})
    assert several["images"] == [{"image_url": INPUT.url}, {"image_url": INPUT.url}]
    assert list(several["mask"]) == ["image_url"]


@pytest.mark.parametrize(
    ("option", "params", "sent"),
    [("url", {}, "url"), ("b64_json", {}, "b64_json"), ("omit", {}, None), ("omit", {"response_format": "url"}, "url")],
)
def test_the_account_says_how_images_come_and_a_job_outranks_it(option: str, params: dict[str, str], sent: str | None) -> None:
    written = body(job={"params": params}, at={"options": {"response_format": option}})
    assert written.get("response_format") == sent


@pytest.mark.parametrize(
    "fields",
    [
        *(pytest.param({"size": size}, id=f"size {size}") for size in COMMON),
        pytest.param({"size": " 1024x768 "}, id="size with blanks"),
        *(pytest.param({"params": {"quality": value}}, id=f"quality {value}") for value in ("low", "medium", "high")),
        *(pytest.param({"params": {"output_format": value}}, id=f"format {value}") for value in ("png", "jpeg", "webp")),
        *(pytest.param({"params": {"response_format": value}}, id=f"as {value}") for value in ("url", "b64_json")),
        pytest.param({"n": 1}, id="smallest n"),
        pytest.param({"n": 8}, id="largest n"),
        pytest.param({"prompt": "p" * 40_000}, id="a long prompt, for nobody says how long"),
        pytest.param({"references": (REMOTE,) * 20}, id="many references, for nobody says how many"),
        pytest.param({"references": (local(),), "mask": REMOTE, "at": {"options": {"mask_form": "string"}}}, id="mask by option"),
        pytest.param({"size": "1280x720", "at": {"options": {"sizes": ["1280x720"]}}}, id="size by option"),
    ],
)
def test_what_is_documented_may_be_sent(fields: dict[str, Any]) -> None:
    assert errors(RELAY, **fields) == warnings(RELAY, **fields) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"size": None}, f"size is missing: it has no default {WHERE}; use one of {LISTED}", id="no size"),
        pytest.param({"size": " "}, f"size is missing: it has no default {WHERE}; use one of {LISTED}", id="blank size"),
        pytest.param({"size": "auto"}, f"size must be one of {LISTED} {WHERE}; got auto", id="auto"),
        pytest.param(
            {"size": "16:9"}, f"size must be one of {LISTED} {WHERE}; got 16:9 - did you mean 1536x864?", id="ratio as size"
        ),
        pytest.param({"size": "0x0"}, f"size must be one of {LISTED} {WHERE}; got 0x0", id="no pixels"),
        pytest.param(
            {"params": {"aspect_ratio": "16:9"}},
            f"aspect_ratio cannot be sent {WHERE}: size sets the ratio, e.g. 1536x864 for 16:9",
            id="aspect_ratio",
        ),
        pytest.param(
            {"extra": {"aspect_ratio": "16:9"}},
            f"aspect_ratio cannot be sent as it is: size sets the ratio, e.g. 1536x864 for 16:9 {WHERE}",
            id="extra ratio",
        ),
        pytest.param(
            {"params": {"quality": "auto"}}, f"quality must be one of low, medium, high {WHERE}; got auto", id="auto quality"
        ),
        pytest.param(
            {"params": {"quality": "hgih"}},
            f"quality must be one of low, medium, high {WHERE}; got hgih - did you mean high?",
            id="quality misspelt",
        ),
        pytest.param(
            {"params": {"output_format": "gif"}}, f"output_format must be one of png, jpeg, webp {WHERE}; got gif", id="format"
        ),
        pytest.param(
            {"params": {"response_format": "base64"}},
            f"response_format must be one of url, b64_json {WHERE}; got base64",
            id="answer form",
        ),
        pytest.param({"n": 0}, f"n must be a whole number from 1 to 8 {WHERE}; got 0", id="n too small"),
        pytest.param({"n": 9}, f"n must be a whole number from 1 to 8 {WHERE}; got 9", id="n too large"),
        pytest.param({"n": True}, f"n must be a whole number from 1 to 8 {WHERE}; got true", id="n as flag"),
        pytest.param(
            {"references": (local(),), "mask": local(alpha=True)},
            "a mask is not documented (gpt-image-2); if the relay takes one, set options.mask_form to string or object",
            id="mask",
        ),
        pytest.param(
            {"at": {"options": {"sizes": ["large"]}}},
            'options.sizes must list sizes such as 1024x768; got ["large"]',
            id="sizes that are none",
        ),
        pytest.param(
            {"at": {"base_url": ""}},
            "account studio needs a base_url: gpt-image-2 is spoken by relays and has no host of its own",
            id="no host",
        ),
        pytest.param(
            {"params": {"background": "opaque"}},
            f"background is not a parameter {WHERE}; use extra: to send it as it is",
            id="a field of OpenAI's",
        ),
        pytest.param(
            {"extra": {"image": "x"}},
            f"image cannot be sent as it is: references: are a field of the job itself {WHERE}",
            id="image in extra",
        ),
    ],
)
def test_what_would_be_refused_is_said_before_anything_is_sent(fields: dict[str, Any], message: str) -> None:
    assert errors(RELAY, **fields) == [message]


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        pytest.param(
            {"size": "1280x720"},
            f"size 1280x720 is not in the relay's list {WHERE} - did you mean 1536x864?; if your account",
            id="unlisted size",
        ),
        pytest.param({"model": "gpt-image-2-pro"}, "model should be gpt-image-2 (gpt-image-2); got gpt-image-2-pro", id="model"),
    ],
)
def test_what_is_doubtful_is_a_warning(fields: dict[str, Any], begins: str) -> None:
    assert errors(RELAY, **fields) == []
    (message,) = warnings(RELAY, **fields)
    assert message.startswith(begins)


def test_the_sample_answer_is_one_image_by_its_url() -> None:
    report = adapter(RELAY).read_submission(answer(sample("relay_answer.json")))
    assert (report.status, report.completed_at) == (Status.SUCCEEDED, 1778688000.0)
    assert report.outputs == (Output(url="https://example.com/generated.png"),)


def test_an_error_of_openais_shape_or_of_none_is_read() -> None:
    refused = {"error": {"message": "size not enabled", "type": "invalid_request_error", "code": "invalid_value"}}
    assert adapter(RELAY).read_failure(answer(refused, status=400)).code is ErrorCode.INVALID_REQUEST
    assert adapter(RELAY).read_failure(answer(b"<html><title>502 Bad Gateway", status=502)).message == "502 Bad Gateway"


def test_size_and_quality_and_n_make_the_price() -> None:
    prices = {"gpt-image-2": {"low": {"1024x768": "0.01"}, "medium": {"1024x1024": "0.04"}, "high": {"3840x2160": "0.30"}}}
    relay = adapter(RELAY)

    def worst(**fields: Any) -> Decimal | None:
        return relay.estimate(spec(RELAY, **fields), order(RELAY, at={"prices": prices}).account).worst

    assert worst(n=3) == Decimal("0.12")
    assert worst(size="3840x2160", params={"quality": "high", "output_format": "webp"}) == Decimal("0.30")
    assert worst(size="2048x2048") is None
    assert relay.estimate(spec(RELAY), order(RELAY).account).worst is None


def test_what_came_is_what_it_cost() -> None:
    account = order(RELAY, at={"prices": {"gpt-image-2": {"medium": {"1024x1024": "0.04"}}}}).account
    report = adapter(RELAY).read_submission(answer({"data": [{"url": "https://a.example/1"}, {"url": "https://a.example/2"}]}))
    assert adapter(RELAY).cost(spec(RELAY, n=4), account, report) == Decimal("0.08")


def test_a_reference_by_url_needs_no_bytes() -> None:
    assert errors(RELAY, references=(RemoteImage(url="ftp://x"),)) == [f"reference 1 must be a file or an http(s) URL {WHERE}"]

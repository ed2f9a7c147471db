"""Requests of the Responses API: golden ones from the documents, every field at its borders, and what is refused before."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import (
    CancelProvider,
    ConversationProvider,
    ForgetfulProvider,
    Inputs,
    Previous,
    Shape,
    StreamProvider,
    TaskProvider,
    Turn,
    UploadProvider,
    UrlInput,
)
from orchestrator.transport.messages import Unreadable

from .making import JPEG, MASK, PNG, account, answer, errors, later, local, order, responses, spec, warnings

PNG_URL = "data:image/png;base64,iVBORyBieXRlcw=="
BY_ID = {"options": {"references": "file_id"}}
SYNCHRONOUS = {"options": {"mode": "synchronous"}}
STREAM = {"options": {"mode": "stream"}}


def body(**fields: Any) -> dict[str, Any]:
    request = responses().submission(order("openai-responses", **fields))
    assert request.json is not None
    found: dict[str, Any] = json.loads(request.json)
    return found


def test_it_has_tasks_uploads_streams_and_can_cancel() -> None:
    adapter = responses()
    for kind in (TaskProvider, UploadProvider, StreamProvider, CancelProvider, ConversationProvider, ForgetfulProvider):
        assert isinstance(adapter, kind)


@pytest.mark.parametrize(
    ("mode", "shape", "fields"),
    [
        (None, Shape.TASK, {"background": True}),
        ("background", Shape.TASK, {"background": True}),
        ("synchronous", Shape.SYNCHRONOUS, {}),
        ("stream", Shape.SYNCHRONOUS, {"background": True, "stream": True}),
    ],
)
def test_the_mode_decides_how_the_answer_comes(mode: str | None, shape: Shape, fields: dict[str, bool]) -> None:
    options = {} if mode is None else {"mode": mode}
    assert responses().capabilities.shape_for(options) is shape
    asked = body(at={"options": options})
    assert {name: asked[name] for name in ("background", "stream") if name in asked} == fields


def test_the_smallest_request_names_both_models_and_forces_the_tool() -> None:
    request = responses().submission(order("openai-responses"))
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/responses")
    assert request.json == (
        b'{"model":"gpt-5.6-luna","input":"a mug","tools":[{"type":"image_generation","model":"gpt-image-2"}],'
        b'"tool_choice":{"type":"image_generation"},"background":true}'
    )


def test_the_guides_request_with_a_mask_is_ours_but_for_what_is_always_sent() -> None:
    guide = {
        "model": "gpt-4o",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a lounge"}, {"type": "input_image", "file_id": "file-lounge"}],
            }
        ],
        "tools": [{"type": "image_generation", "quality": "high", "input_image_mask": {"file_id": "file-mask"}}],
    }
    job = {"prompt": "a lounge", "params": {"quality": "high", "mainline_model": "gpt-4o"}}
    sent = body(job=job, at=BY_ID, references=(UrlInput(url="file-lounge"),), mask=UrlInput(url="file-mask"))
    assert sent.pop("tool_choice") == {"type": "image_generation"}
    assert sent.pop("background") is True
    assert sent["tools"][0].pop("model") == "gpt-image-2"
    assert sent == guide


def test_references_of_every_kind_keep_their_order() -> None:
    references = (PNG, UrlInput(url="https://pictures.example/a.png"), UrlInput(url="file-1"), JPEG)
    (message,) = body(references=references, job={"params": {"detail": "high"}})["input"]
    assert message["content"] == [
        {"type": "input_text", "text": "a mug"},
        {"type": "input_image", "image_url": PNG_URL, "detail": "high"},
        {"type": "input_image", "image_url": "https://pictures.example/a.png", "detail": "high"},
        {"type": "input_image", "file_id": "file-1", "detail": "high"},
        {"type": "input_image", "image_url": "data:image/jpeg;base64,/9ggYnl0ZXM=", "detail": "high"},
    ]


def test_a_mask_stands_in_the_tool() -> None:
    assert body(references=(PNG,), mask=PNG)["tools"][0]["input_image_mask"] == {"image_url": PNG_URL}


def test_every_option_stands_where_it_belongs() -> None:
    tool = {
        "quality": "low",
        "output_format": "webp",
        "output_compression": 80,
        "moderation": "low",
        "background": "transparent",
        "partial_images": 2,
        "action": "edit",
    }
    around = {"max_tool_calls": 1, "metadata": {"sku": "A"}, "store": True, "user": "u"}
    job = {"size": "1024x1536 ", "params": {**around, **tool}, "extra": {"instructions": "draw"}}
    sent = body(job=job, at=STREAM)
    assert sent["tools"] == [{"type": "image_generation", "model": "gpt-image-2", "size": "1024x1536", **tool}]
    assert list(sent["tools"][0])[3:] == list(tool)
    assert {name: sent[name] for name in (*around, "instructions")} == {**around, "instructions": "draw"}
    assert "input_fidelity" in body(job={"model": "gpt-image-1.5", "params": {"input_fidelity": "high"}})["tools"][0]


def test_a_conversation_goes_on_from_a_response_or_from_one_image() -> None:
    assert body(previous=Previous(response_id="resp_1"))["previous_response_id"] == "resp_1"
    sent = body(previous=Previous(image_call_id="ig_1"))
    assert "previous_response_id" not in sent
    assert sent["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "a mug"}]},
        {"type": "image_generation_call", "id": "ig_1"},
    ]


@pytest.mark.parametrize(
    ("params", "option", "wanted"),
    [
        ({}, None, Previous(response_id="resp_1")),
        ({}, "response", Previous(response_id="resp_1")),
        ({}, "image_call", Previous(image_call_id="ig_1")),
        ({"store": True}, "image_call", Previous(image_call_id="ig_1")),
        ({"store": False}, None, None),
        ({"store": False}, "image_call", None),
    ],
)
def test_a_turn_is_named_by_its_response_or_its_image_unless_it_was_not_stored(
    params: dict[str, Any], option: str | None, wanted: Previous | None
) -> None:
    turn = Turn(params=params, response_id="resp_1", image_call_id="ig_1")
    at = account("openai-responses", options={} if option is None else {"conversation": option})
    assert responses().previous(turn, at) == wanted


def test_a_turn_whose_ids_nobody_knows_is_not_gone_on_with() -> None:
    by_image = account("openai-responses", options={"conversation": "image_call"})
    assert responses().previous(Turn(params={}, response_id="resp_1"), by_image) == Previous(response_id="resp_1")
    assert responses().previous(Turn(params={}), by_image) is None


def test_a_conversation_costs_at_least_the_image_it_goes_on_with() -> None:
    job, at = spec("openai-responses", size="1024x1024", params={"quality": "low"}), account("openai-responses")
    alone, going_on = responses().estimate(job, at), responses().estimate(replace(job, continues="mug"), at)
    assert alone.likely is not None
    assert going_on.likely is not None
    assert going_on.likely > alone.likely
    assert going_on == responses().estimate(replace(job, references=(local(),)), at)


def test_a_response_is_asked_for_and_cancelled_by_its_id() -> None:
    at = account("openai-responses", base_url="https://relay.example/v1")
    asked, cancelled = responses().status_request("resp_a/b", at), responses().cancel_request("resp_1", at)
    assert (asked.method, asked.url) == ("GET", "https://relay.example/v1/responses/resp_a%2Fb")
    assert (cancelled.method, cancelled.url) == ("POST", "https://relay.example/v1/responses/resp_1/cancel")


def test_local_images_are_uploaded_for_vision_when_they_go_by_id() -> None:
    assert responses().capabilities.inputs_for({}) is Inputs.CONTENT
    assert responses().capabilities.inputs_for(BY_ID["options"]) is Inputs.UPLOAD
    request = responses().upload_request(PNG, account("openai-responses"))
    assert request.url == "https://api.openai.com/v1/files"
    assert [(part.name, part.filename, part.content) for part in request.form or ()] == [
        ("purpose", None, b"vision"),
        ("file", "mug.png", PNG.content),
    ]
    assert responses().read_upload(answer({"id": "file-1", "object": "file"})) == "file-1"
    for bad in ({}, {"id": 7}, {"id": ""}):
        with pytest.raises(Unreadable, match="no file id"):
            responses().read_upload(answer(bad))


NAMES = {"quality": ["low", "medium", "high", "auto"], "output_format": ["png", "jpeg", "webp"], "moderation": ["auto", "low"]}
MORE = {
    "background": ["transparent", "opaque", "auto"],
    "action": ["generate", "edit", "auto"],
    "detail": ["low", "high", "auto"],
}
GOOD = [
    *((name, value) for name, values in (NAMES | MORE).items() for value in values),
    ("max_tool_calls", 1),
    ("store", True),
    ("metadata", {"a": "b"}),
    ("user", "u"),
    ("mainline_model", "gpt-4.1"),
]
BAD = [
    *((name, value) for name in NAMES | MORE for value in ("nonsense", 7, None)),
    ("max_tool_calls", 0),
    ("max_tool_calls", "1"),
    ("store", "yes"),
    ("user", 7),
    ("mainline_model", 7),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_documented_values_are_taken(name: str, value: Any) -> None:
    assert errors(responses(), params={name: value}) == []


@pytest.mark.parametrize(("name", "value"), BAD)
def test_other_values_are_named_before_anything_is_sent(name: str, value: Any) -> None:
    assert any(found.startswith(f"{name} must be") for found in errors(responses(), params={name: value}))


@pytest.mark.parametrize(("value", "fine"), [(0, True), (100, True), (-1, False), (101, False), ("80", False), (True, False)])
def test_compression_goes_from_0_to_100(value: Any, fine: bool) -> None:
    found = errors(responses(), params={"output_format": "jpeg", "output_compression": value})
    assert (found == []) is fine


@pytest.mark.parametrize(("value", "fine"), [(0, True), (3, True), (-1, False), (4, False), ("2", False)])
def test_partial_images_go_from_0_to_3(value: Any, fine: bool) -> None:
    assert (errors(responses(), at=STREAM, params={"partial_images": value}) == []) is fine


SIZES = [("auto", True), ("1024x1024", True), ("3840x2160", True), ("3856x2160", False), ("1000x1000", False), ("9:9", False)]


@pytest.mark.parametrize(("size", "fine"), SIZES)
def test_sizes_are_those_of_the_image_model(size: str, fine: bool) -> None:
    assert (errors(responses(), size=size) == []) is fine


REFUSED: list[tuple[Any, ...]] = [
    ({"n": 2}, {}, "one call makes one image (openai-responses gpt-image-2); got n 2 - set fan_out: true on the job"),
    ({"n": 0}, {}, "n must be a whole number from 1 (openai-responses gpt-image-2); got 0"),
    (
        {"params": {"partial_images": 1}},
        {},
        "partial_images needs the account's option mode: stream (openai-responses gpt-image-2); it is background",
    ),
    (
        {"params": {"input_fidelity": "high"}},
        {},
        "input_fidelity cannot be sent (openai-responses gpt-image-2): this model always works at high fidelity; leave it out",
    ),
    ({"model": "gpt-4.1"}, {}, "model must be the image model; gpt-4.1 is a text model - set params.mainline_model to it"),
    (
        {"params": {"mainline_model": "gpt-image-2"}},
        {},
        "mainline_model must be a text model that calls the image tool; gpt-image-2 is an image model",
    ),
    (
        {"params": {"mainline_model": "gpt-4.1-nano"}},
        {},
        "mainline_model gpt-4.1-nano was shut down on 2026-10-23; use gpt-5.6-luna",
    ),
    (
        {"params": {"background": "transparent", "output_format": "jpeg"}},
        {},
        "background transparent needs output_format png or webp (openai-responses gpt-image-2); got jpeg",
    ),
    (
        {"extra": {"background": True}},
        {},
        (
            "background cannot be sent as it is: the account's option mode decides how the answer comes "
            "(openai-responses gpt-image-2)"
        ),
    ),
    (
        {"references": (local(size=15_728_641),)},
        {},
        "an image of 15728641 bytes is too long for a data URL (20971520 characters); set references: file_id on the account",
    ),
    (
        {"references": (local(format="bmp"),)},
        {},
        "reference 1 must be one of png, jpeg, webp, gif (openai-responses gpt-image-2)",
    ),
]


@pytest.mark.parametrize(("job", "at", "message"), REFUSED)
def test_what_would_be_refused_is_said(job: dict[str, Any], at: dict[str, Any], message: str) -> None:
    assert any(found.startswith(message) for found in errors(responses(), at=at, **job)), errors(responses(), at=at, **job)


def test_a_long_image_goes_by_its_id() -> None:
    long = {"references": (local(size=15_728_641, alpha=True),), "mask": local(size=15_728_641, alpha=True)}
    assert len(errors(responses(), **long)) == 2
    assert errors(responses(), at=BY_ID, **long) == []


def test_a_retired_text_model_may_be_used_at_a_relay_or_by_the_users_word() -> None:
    nano = {"mainline_model": "gpt-4.1-nano"}
    assert errors(responses(), at={"base_url": "https://relay.example"}, params=nano) == []
    assert errors(responses(), at={"allow_retired": True}, params=nano) == []
    assert errors(responses(today=later(date(2026, 10, 22))), params=nano) == []


def test_doubtful_things_are_warnings() -> None:
    assert warnings(responses(), params={"mainline_model": "gpt-9"}) == [
        "mainline_model gpt-9 is not in the catalog of openai-responses; it is sent as it is"
    ]
    assert "ten minutes" in warnings(responses(), params={"store": False})[0]
    assert warnings(responses(), at=SYNCHRONOUS, params={"store": False}) == []
    assert errors(responses(), references=(local(),), mask=MASK) == []


USAGE = {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 500}, "output_tokens": 100}
IMAGE_GEN = {"input_tokens": 10, "input_tokens_details": {"text_tokens": 10, "image_tokens": 0}, "output_tokens": 1756}


def cost(usage: dict[str, Any], *, at: dict[str, Any] | None = None, **job: Any) -> Decimal | None:
    report = Report(status=Status.SUCCEEDED, outputs=(Output(base64="aA=="),), usage=usage)
    return responses().cost(spec("openai-responses", **job), account("openai-responses", **(at or {})), report)


def test_the_cost_is_that_of_the_image_and_of_the_text() -> None:
    talk = (500 * Decimal("0.20") + 500 * Decimal("0.02") + 100 * Decimal("1.20")) / 1_000_000
    drawn = (10 * Decimal(5) + 1756 * Decimal(30)) / 1_000_000
    assert cost({**USAGE, "image_gen": IMAGE_GEN}) == talk + drawn
    from_formula = (1756 * Decimal(30)) / 1_000_000
    assert cost(USAGE, size="1024x1024", params={"quality": "medium"}) == talk + from_formula


def test_a_cost_that_nobody_knows_is_none() -> None:
    usage = {**USAGE, "image_gen": IMAGE_GEN}
    assert cost(usage, params={"mainline_model": "gpt-6-astra"}) is None
    assert cost({"image_gen": IMAGE_GEN}) is None
    assert cost({**USAGE, "image_gen": {**IMAGE_GEN, "svg_usage": {"total_tokens": 1}}}) is None
    assert cost(USAGE) is None
    assert cost(usage, at={"base_url": "https://relay.example"}) is None
    own = {"prices": {"gpt-image-2": {"per_image": "0.03"}}, "base_url": "https://relay.example"}
    assert cost(usage, at=own) == Decimal("0.03")


def test_an_estimate_counts_the_text_model_and_partial_images() -> None:
    job = spec("openai-responses", size="1024x1024", params={"quality": "medium"})
    plain = responses().estimate(job, account("openai-responses"))
    image = Decimal(1756 * 30) / 1_000_000
    assert plain.likely is not None
    assert plain.worst is not None
    assert image < plain.likely < image + Decimal("0.002") < plain.worst
    partial = spec("openai-responses", size="1024x1024", params={"quality": "medium", "partial_images": 3})
    assert responses().estimate(partial, account("openai-responses")).likely == plain.likely + Decimal(300 * 30) / 1_000_000
    unknown = spec("openai-responses", params={"mainline_model": "gpt-6-astra"})
    assert responses().estimate(unknown, account("openai-responses")).worst is None

"""Images that come as events, and edits whose images go by file ids."""

import json
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import Inputs, StreamProvider, UploadProvider, UrlInput
from orchestrator.providers.event_stream import events
from orchestrator.transport.messages import Answer, Unreadable

from .making import PNG, account, answer, edits, errors, images, local, order, spec

BY_ID = {"options": {"references": "file_id"}}


def event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def partial(text: str, number: int, kind: str = "image_generation") -> str:
    return event(f"{kind}.partial_image", b64_json=text, partial_image_index=number)


def completed(text: str, kind: str = "image_generation", **data: Any) -> str:
    return event(f"{kind}.completed", b64_json=text, created_at=1_700_000_000, **data)


def stream(*parts: str, **headers: str) -> Answer:
    return answer("".join(parts).encode(), **({"content_type": "text/event-stream; charset=utf-8"} | headers))  # type: ignore[arg-type]


def read(*parts: str, **headers: str) -> Report:
    return images().read_submission(stream(*parts, **headers))


def test_both_endpoints_can_stream() -> None:
    for adapter in (images(), edits()):
        assert isinstance(adapter, StreamProvider)
    request = images().submission(order("openai-images", job={"params": {"partial_images": 2, "stream": True}}))
    assert request.json == b'{"model":"gpt-image-2","prompt":"a mug","n":1,"stream":true,"partial_images":2}'
    form = edits().submission(order("openai-edits", job={"params": {"stream": True}}, references=(PNG,))).form or ()
    assert [part.content for part in form if part.name == "stream"] == [b"true"]


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_a_stream_is_its_completed_images(kind: str) -> None:
    usage = {"output_tokens": 10, "input_tokens_details": {"text_tokens": 2}}
    report = read(
        partial("cA==", 0, kind), completed("aGk=", kind, usage=usage), completed("aG8=", kind, usage=usage), "data: [DONE]\n\n"
    )
    assert (report.status, report.outputs) == (Status.SUCCEEDED, (Output(base64="aGk="), Output(base64="aG8=")))
    assert report.usage == {"output_tokens": 20, "input_tokens_details": {"text_tokens": 4}}
    assert report.completed_at == 1_700_000_000


def test_plain_json_is_read_although_a_stream_was_asked_for() -> None:
    body = json.dumps({"created": 1, "data": [{"b64_json": "aGk="}]})
    for content_type in ("text/event-stream", "application/json"):
        assert read(body, content_type=content_type).outputs == (Output(base64="aGk="),)


def test_a_stream_is_known_without_its_content_type() -> None:
    assert read(": hello\n\n", completed("aGk="), content_type="text/plain").outputs == (Output(base64="aGk="),)


@pytest.mark.parametrize("cut", ["", 'event: image_generation.completed\ndata: {"b64_json":"aG', "event: image_generation.compl"])
def test_a_stream_cut_before_an_image_is_whole_is_unreadable(cut: str) -> None:
    with pytest.raises(Unreadable, match="before an image was complete"):
        read(partial("cA==", 0), cut)


def test_a_stream_cut_after_its_first_image_keeps_that_one() -> None:
    report = read(completed("aGk="), 'event: image_generation.completed\ndata: {"b64_json":"aG')
    assert (report.status, report.outputs) == (Status.SUCCEEDED, (Output(base64="aGk="),))


def test_the_last_event_needs_no_blank_line_but_whole_json() -> None:
    whole = completed("aGk=").rstrip("\n")
    assert read(whole).outputs == (Output(base64="aGk="),)
    with pytest.raises(Unreadable):
        read(whole[:-1])


@pytest.mark.parametrize(
    "error",
    [
        event("error", error={"message": "no", "code": "moderation_blocked"}),
        'data: {"error": {"message": "no", "type": "image_generation_user_error"}}\n\n',
        event("error", message="no", code="content_policy_violation"),
    ],
)
def test_an_error_event_is_a_failure_unless_an_image_came(error: str) -> None:
    report = read(partial("cA==", 0), error)
    assert report.failure is not None
    assert (report.status, report.failure.code, report.failure.message) == (Status.FAILED, ErrorCode.REFUSED, "no")
    assert read(completed("aGk="), error).status is Status.SUCCEEDED


def test_partial_images_belong_to_the_image_that_is_completed_next() -> None:
    whole = stream(partial("cA==", 0), partial("cQ==", 1), completed("aGk="), partial("cg==", 0)).body
    found = images().previews(whole)
    assert [(preview.base64, preview.index, preview.number) for preview in found] == [
        ("cA==", 0, 0),
        ("cQ==", 0, 1),
        ("cg==", 1, 0),
    ]
    for length in range(len(whole)):
        assert found[: len(images().previews(whole[:length]))] == images().previews(whole[:length])


def test_events_are_read_as_the_standard_writes_them() -> None:
    body = b'\xef\xbb\xbf: comment\r\nid: 1\r\nevent: a\r\ndata: {"x":\r\ndata: 1}\r\n\r\ndata:{"type":"b"}\n\ndata: [DONE]\n\nevent: c\n\n'  # noqa: E501
    assert [(event.kind, event.data) for event in events(body)] == [("a", {"x": 1}), ("b", {"type": "b"})]


def test_partial_images_cost_a_hundred_tokens_each() -> None:
    job: dict[str, Any] = {"size": "1024x1024", "n": 2}
    plain, partials = (
        images().estimate(spec("openai-images", params=params, **job), account("openai-images"))
        for params in ({"quality": "low"}, {"quality": "low", "stream": True, "partial_images": 3})
    )
    assert plain.likely is not None
    assert partials.likely == plain.likely + 2 * 3 * 100 * Decimal(30) / 1_000_000


def test_edits_may_name_uploaded_files() -> None:
    adapter = edits()
    assert isinstance(adapter, UploadProvider)
    assert adapter.capabilities.inputs_for({}) is Inputs.CONTENT
    assert adapter.capabilities.inputs_for(BY_ID["options"]) is Inputs.UPLOAD
    references = (UrlInput(url="file-1"), UrlInput(url="https://pictures.example/a.png"))
    request = adapter.submission(order("openai-edits", at=BY_ID, references=references, mask=UrlInput(url="file-2")))
    assert request.json is not None
    sent = json.loads(request.json)
    assert sent["images"] == [{"file_id": "file-1"}, {"image_url": "https://pictures.example/a.png"}]
    assert sent["mask"] == {"file_id": "file-2"}


def test_file_ids_lift_the_limit_of_data_urls_and_do_not_go_into_a_form() -> None:
    long = {"references": (local(size=16_000_000),)}
    assert len(errors(edits(), at={"options": {"edit_body": "json"}}, **long)) == 1
    assert errors(edits(), at=BY_ID, **long) == []
    form = {"options": {"references": "file_id", "edit_body": "multipart"}}
    assert errors(edits(), at=form) == ["a file id cannot stand in a multipart form; set edit_body: auto on the account"]

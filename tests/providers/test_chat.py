import base64
import json
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import Inputs, Shape, TaskProvider, UrlInput
from orchestrator.transport.messages import Unreadable

from .making import JPEG, REMOTE, answer, local, sample
from .relays import adapter, errors, order, warnings

LINK = "https://files.example/image.png"
OTHER = "https://files.example/other.png"
DATA = "data:image/png;base64,spool:0123456789abcdef:77:90000"
"""As the spool hands a long data URL on."""
PROGRESS = "> 排队中.\n> 生成中........ 37%\n> Generating 99%\n> 生成完成 ✅\n\n"


def read(body: Any, **headers: str) -> Report:
    return adapter("chat").read_submission(answer(body, 200, **headers))


def told(content: Any, **message: Any) -> Report:
    return read({"choices": [{"index": 0, "message": {"role": "assistant", "content": content, **message}}]})


def sources(report: Report) -> list[str | None]:
    return [output.url or output.base64 for output in report.outputs]


def streamed(*events: Any, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(event)}\n\n" for event in events) + end).encode()


def delta(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": content, **more}}]}


def test_it_answers_at_once_and_takes_images_in_the_request() -> None:
    chat = adapter("chat")
    assert (chat.capabilities.shape, chat.capabilities.inputs) == (Shape.SYNCHRONOUS, Inputs.CONTENT)
    assert (chat.default_base_url, chat.default_key_variable) == ("https://api.rainboxs.com", "RAINBOXS_API_KEY")
    assert isinstance(chat, TaskProvider)


def test_the_sample_request_is_written_as_documented() -> None:
    expected = json.loads(sample("chat_request.json"))
    prompt = expected["messages"][0]["content"]
    request = adapter("chat").submission(order("chat", job={"prompt": prompt, "size": "1024x1024", "params": {"quality": "hd"}}))
    assert request.json is not None
    assert list(json.loads(request.json).items()) == list(expected.items())
    assert (request.method, request.url) == ("POST", "https://api.rainboxs.com/v1/chat/completions")
    assert request.auth == ("Authorization", "Bearer ")


def test_the_smallest_request_says_how_many_and_leaves_the_size_to_the_gateway() -> None:
    request = adapter("chat").submission(order("chat", job={"prompt": "A cat in a tree"}))
    assert json.loads(request.json or b"") == {**json.loads(sample("chat_minimal_request.json")), "n": 1}


def test_every_field_has_its_place() -> None:
    params = {"user": "u", "stream": False, "style": "natural", "quality": "hd"}
    job = {"size": " 1792x1024", "n": 2, "params": params, "extra": {"seed": 7}}
    assert adapter("chat").submission(order("chat", job=job)).json == (
        b'{"model":"gpt-4o-image","messages":[{"role":"user","content":"a mug"}],"n":2,"size":"1792x1024","quality":"hd",'
        b'"style":"natural","stream":false,"user":"u","seed":7}'
    )


@pytest.mark.parametrize("base", ["https://api.rainboxs.com/", "https://api.rainboxs.com//v1", "https://api.rainboxs.com//v1/"])
def test_the_samples_doubled_slash_is_put_right(base: str) -> None:
    request = adapter("chat").submission(order("chat", at={"base_url": base}))
    assert request.url == "https://api.rainboxs.com/v1/chat/completions"


def test_references_are_parts_of_the_message_after_its_text() -> None:
    request = adapter("chat").submission(order("chat", references=(UrlInput(url=REMOTE.url), JPEG)))
    content = json.loads(request.json or b"")["messages"][0]["content"]
    assert content == [
        {"type": "text", "text": "a mug"},
        {"type": "image_url", "image_url": {"url": REMOTE.url}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(JPEG.content).decode()}},
    ]


WHERE = "(chat gpt-4o-image)"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"n": 1}, id="smallest n"),
        pytest.param({"n": 99}, id="a large n, for nobody says how many"),
        pytest.param({"prompt": "p" * 100_000}, id="a long prompt, for nobody says how long"),
        *(pytest.param({"size": size}, id=f"size {size}") for size in ("1024x1024", "1024x1792", "1792x1024")),
        *(pytest.param({"params": {"quality": value}}, id=f"quality {value}") for value in ("standard", "hd")),
        *(pytest.param({"params": {"style": value}}, id=f"style {value}") for value in ("vivid", "natural")),
        pytest.param({"params": {"stream": False}}, id="no stream"),
        pytest.param({"params": {"user": "u"}}, id="user"),
    ],
)
def test_what_is_documented_may_be_sent(fields: dict[str, Any]) -> None:
    assert errors("chat", **fields) == warnings("chat", **fields) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"n": 0}, f"n must be a whole number from 1 {WHERE}; got 0", id="n too small"),
        pytest.param({"n": "2"}, f"n must be a whole number from 1 {WHERE}; got 2", id="n as text"),
        pytest.param({"prompt": " "}, f"prompt must not be empty {WHERE}", id="no prompt"),
        pytest.param(
            {"size": "1024x1536"},
            f"size must be one of 1024x1024, 1024x1792, 1792x1024 {WHERE}; got 1024x1536 - did you mean 1024x1792?",
            id="size of another model",
        ),
        pytest.param({"params": {"quality": "high"}}, f"quality must be one of standard, hd {WHERE}; got high", id="quality"),
        pytest.param({"params": {"quality": 1}}, f"quality must be one of standard, hd {WHERE}; got 1", id="quality as number"),
        pytest.param(
            {"params": {"style": "vived"}},
            f"style must be one of vivid, natural {WHERE}; got vived - did you mean vivid?",
            id="style misspelt",
        ),
        pytest.param({"params": {"stream": "false"}}, f"stream must be true or false {WHERE}; got false", id="stream as text"),
        pytest.param({"params": {"user": 7}}, f"user must be text {WHERE}; got 7", id="user as number"),
        pytest.param(
            {"params": {"aspect_ratio": "1:1"}},
            f"aspect_ratio cannot be sent {WHERE}: size sets the shape, e.g. 1792x1024",
            id="ratio",
        ),
        pytest.param(
            {"params": {"qualty": "hd"}},
            f"qualty is not a parameter {WHERE} - did you mean quality?; use extra: to send it as it is",
            id="misspelt",
        ),
        pytest.param(
            {"extra": {"messages": []}},
            f"messages cannot be sent as it is: the prompt and the references: make the one message {WHERE}",
            id="messages",
        ),
        pytest.param({"mask": local(alpha=True), "references": (local(),)}, f"a mask cannot be sent {WHERE}", id="mask"),
        pytest.param(
            {"at": {"options": {"task_path": "tasks"}}},
            "options.task_path must be a path such as /v1/images/generations/{id}; got tasks",
            id="task path",
        ),
    ],
)
def test_what_would_be_refused_is_said_before_anything_is_sent(fields: dict[str, Any], message: str) -> None:
    assert errors("chat", **fields) == [message]


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        pytest.param({"references": (local(),)}, "api.rainboxs.com documents no references", id="references"),
        pytest.param({"params": {"stream": True}}, "stream true may be refused", id="stream"),
        pytest.param({"model": "gpt-image-9"}, "model gpt-image-9 is not in the catalog of chat", id="unknown model"),
        pytest.param({"at": {"base_url": "https://toapis.com"}}, "toapis.com makes images as tasks", id="a task API"),
        pytest.param({"at": {"base_url": "https://gate.example"}, "size": "auto"}, "size must be one of", id="size elsewhere"),
        pytest.param(
            {"at": {"base_url": "https://gate.example"}, "references": (local(size=20_000_000),)},
            "reference 1 has 20000000 bytes",
            id="a huge reference",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(fields: dict[str, Any], begins: str) -> None:
    assert errors("chat", **fields) == []
    assert [message for message in warnings("chat", **fields) if message.startswith(begins)]


def test_a_task_api_is_named_with_the_error_it_would_give() -> None:
    (message,) = warnings("chat", at={"base_url": "https://api.toapis.com"})
    assert "invalid apitype: -1" in message
    assert message.endswith("use provider toapis")


def test_the_wrong_endpoint_is_explained() -> None:
    failure = adapter("chat").read_failure(answer({"error": {"message": "invalid apitype: -1"}}, status=400))
    assert failure.code is ErrorCode.WRONG_ENDPOINT
    assert "check base_url and endpoint" in failure.message


def test_the_documented_answer_is_read() -> None:
    body = json.loads(sample("chat_answer.json"))
    report = read(sample("chat_answer.json"), x_request_id="req_1")
    assert report.outputs == (Output(url=body["data"][0]["url"], revised_prompt=body["data"][0]["revised_prompt"]),)
    assert (report.status, report.completed_at, report.request_id) == (Status.SUCCEEDED, 1725000000.0, "req_1")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"![image]({LINK})", id="markdown"),
        pytest.param(
            f"{PROGRESS}![一只猫]({LINK})\n\n[点击下载](https://files.example/download/1.png)", id="progress and download"
        ),
        pytest.param(f'![a]({LINK} "title") ![b]( <{LINK}> )', id="title and brackets"),
        pytest.param(f"[![image]({LINK})]({LINK})", id="linked image"),
        pytest.param(f"<p><img alt='a' src='{LINK}'></p>", id="html"),
        pytest.param(LINK, id="bare"),
        pytest.param(f"Here it is: {LINK}。", id="bare in a Chinese sentence"),
        pytest.param(f"[View]({LINK}) | [Download]({LINK}?download=1)", id="links only"),
        pytest.param([{"type": "image_url", "image_url": {"url": LINK}}], id="part"),
        pytest.param([{"type": "text", "text": "Here:"}, {"type": "image_url", "image_url": LINK}], id="part with a string"),
        pytest.param([{"type": "image", "image": {"url": LINK}}], id="image part"),
        pytest.param([{"type": "text", "text": f"![image]({LINK})"}], id="markdown in a part"),
    ],
)
def test_the_image_is_found_once_wherever_it_stands(content: Any) -> None:
    report = told(content)
    assert (report.status, sources(report)) == (Status.SUCCEEDED, [LINK])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(f"{PROGRESS}![image]({DATA})\n", [DATA], id="markdown"),
        pytest.param(DATA, [DATA], id="bare"),
        pytest.param(f"{DATA}\n{DATA[:-1]}1", [DATA, f"{DATA[:-1]}1"], id="two"),
        pytest.param(f"![a]({DATA}) ![a]({DATA})", [DATA], id="twice the same"),
        pytest.param([{"type": "output_image", "b64_json": "aGk="}], ["aGk="], id="bytes in a part"),
    ],
)
def test_images_inside_the_answer_are_found(content: Any, expected: list[str]) -> None:
    report = told(content)
    assert [output.base64 for output in report.outputs] == expected


def test_several_images_come_in_their_order() -> None:
    assert sources(told(f"![1]({OTHER})\n![2]({LINK})\n![1]({OTHER}#again)")) == [OTHER, LINK]


def test_a_link_whose_path_has_brackets_or_no_ending_is_found() -> None:
    assert sources(told("![a](https://files.example/a_(1).png)")) == ["https://files.example/a_(1).png"]
    assert sources(told("https://files.example/cdn/abc?sig=1")) == ["https://files.example/cdn/abc?sig=1"]
    assert sources(told('<img src="https://files.example/a?x=1&amp;y=2">')) == ["https://files.example/a?x=1&y=2"]


def test_a_signed_link_keeps_its_whole_query() -> None:
    link = "https://blob.example/private/img-1.png?st=2025&se=2026-11-21T09%3A00%3A00Z&sig=a%2Bb%3D"
    assert sources(told(f"Your image: {link}")) == [link]


@pytest.mark.parametrize(
    "images", [[{"type": "image_url", "image_url": {"url": LINK}}], [{"url": LINK}], [LINK], LINK, {"image_url": LINK}]
)
def test_images_in_a_field_of_the_message_win_over_its_text(images: Any) -> None:
    assert sources(told(f"Here: ![x]({OTHER})", images=images)) == [LINK]


def test_the_documented_list_wins_over_the_chat_around_it() -> None:
    body = {"data": [{"url": LINK}], "choices": [{"message": {"content": f"![x]({OTHER})"}}]}
    assert sources(read(body)) == [LINK]


def test_every_choice_brings_its_image() -> None:
    choices = [{"message": {"content": f"![x]({link})"}} for link in (LINK, OTHER)]
    assert sources(read({"choices": choices, "usage": {"total_tokens": 7}})) == [LINK, OTHER]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(
            {"choices": [{"message": {"content": "I'm sorry, I can't help with that."}}]}, ErrorCode.REFUSED, id="sorry"
        ),
        pytest.param({"choices": [{"message": {"content": "该请求违反了内容政策"}}]}, ErrorCode.REFUSED, id="Chinese"),
        pytest.param({"choices": [{"message": {"content": None, "refusal": "No."}}]}, ErrorCode.REFUSED, id="refusal field"),
        pytest.param(
            {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, ErrorCode.REFUSED, id="filter"
        ),
        pytest.param({"choices": [{"message": {"content": "> 生成中 40%"}}]}, ErrorCode.NO_IMAGE, id="only progress"),
        pytest.param({"choices": [{"message": {"content": "A mug is a cup."}}]}, ErrorCode.NO_IMAGE, id="only text"),
        pytest.param({"choices": [{"message": {"content": "See https://files.example/help"}}]}, ErrorCode.NO_IMAGE, id="a page"),
        pytest.param({"choices": [{"message": {}}]}, ErrorCode.NO_IMAGE, id="nothing"),
        pytest.param({"data": []}, ErrorCode.NO_IMAGE, id="an empty list"),
        pytest.param({"error": {"message": "no", "code": "content_policy_violation"}}, ErrorCode.REFUSED, id="error object"),
        pytest.param({"error": {"message": "odd"}, "choices": []}, ErrorCode.GENERATION_FAILED, id="odd error"),
    ],
)
def test_an_answer_without_an_image_is_a_failure(body: dict[str, Any], code: ErrorCode) -> None:
    report = read(body)
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.FAILED, code)


def test_a_refusal_is_told_in_the_models_words() -> None:
    report = told("I'm sorry, but this would violate our content policy.")
    assert report.failure is not None
    assert report.failure.message == "I'm sorry, but this would violate our content policy."


@pytest.mark.parametrize("headers", [{"content_type": "text/event-stream"}, {"content_type": "application/json"}, {}])
def test_a_stream_nobody_asked_for_is_put_together(headers: dict[str, str]) -> None:
    pieces = [delta(role="assistant"), delta("> 生成中 40%\n"), delta("![image](https://files."), delta("example/image.png)"), {}]
    assert sources(read(b": ping\n\n" + streamed(*pieces), **headers)) == [LINK]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([delta(images=[{"image_url": {"url": LINK}}])], id="images in a delta"),
        pytest.param([delta([{"type": "text", "text": "a"}]), delta([{"type": "image_url", "image_url": LINK}])], id="parts"),
        pytest.param([delta("Here."), {"created": 1, "data": [{"url": LINK}]}], id="the documented list as an event"),
        pytest.param([{"choices": [{"message": {"content": f"![a]({LINK})"}}]}], id="a whole message as an event"),
        pytest.param([delta(f"![a]({LINK})"), {"error": {"message": "late"}}], id="an error after the image"),
    ],
)
def test_a_stream_may_hold_its_image_in_any_place(events: list[Any]) -> None:
    assert sources(read(streamed(*events))) == [LINK]


def test_base64_that_came_in_pieces_is_one_image() -> None:
    pieces = [delta(f"![a]({DATA}"), delta("QUJD"), delta("spool:0123456789abcdef:99:9000)")]
    assert sources(read(streamed(*pieces))) == [f"{DATA}QUJDspool:0123456789abcdef:99:9000"]


def test_a_stream_keeps_choices_apart_and_its_usage() -> None:
    events = [
        {"choices": [{"index": 1, "delta": {"content": f"![b]({OTHER})"}}, {"index": 0, "delta": {"content": "![a]("}}]},
        {"choices": [{"index": 0, "delta": {"content": f"{LINK})"}}], "usage": {"total_tokens": 7}},
    ]
    report = read(streamed(*events))
    assert (set(sources(report)), report.usage) == ({LINK, OTHER}, {"total_tokens": 7})


def test_a_refusal_in_a_stream_is_a_refusal() -> None:
    failure = read(streamed(delta("I'm sor"), delta("ry."))).failure
    assert failure is not None
    assert (failure.code, failure.message) == (ErrorCode.REFUSED, "I'm sorry.")


def test_an_error_event_is_a_failure() -> None:
    failure = read(streamed({"error": {"message": "no", "code": "moderation_blocked"}})).failure
    assert failure is not None
    assert failure.code is ErrorCode.REFUSED


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"id":"x"}', b"data: [DONE]\n\n", b": ping\n\n", b'{"choices": [{"mess']
)
def test_any_other_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_a_task_in_place_of_a_chat_is_followed() -> None:
    report = read({"id": "task_1", "status": "queued"})
    assert (report.status, report.remote_id) == (Status.RUNNING, "task_1")


def test_nobody_knows_the_price_but_the_account() -> None:
    prices = {"gpt-4o-image": {"hd": {"1024x1024": "0.05"}}}
    asked = order("chat", job={"n": 2, "size": "1024x1024", "params": {"quality": "hd"}}, at={"prices": prices})
    chat = adapter("chat")
    assert str(chat.estimate(asked.spec, asked.account).worst) == "0.10"
    assert chat.estimate(asked.spec, order("chat").account).worst is None

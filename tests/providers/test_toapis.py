import json
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Status
from orchestrator.providers.base import (
    LookupProvider,
    Provider,
    TaskProvider,
    UploadProvider,
    UrlInput,
    WebhookProvider,
)
from orchestrator.providers.toapis_answers import STATUSES
from orchestrator.transport.messages import Request, Unreadable

from .making import ATTEMPT, PNG, account, answer, order, sample, toapis

MUG = UrlInput(url="https://files.example/mug.png?a=1&b=2")
DONE = {"id": "task_1", "status": "completed"}


def body(request: Request) -> Any:
    assert request.json is not None
    return json.loads(request.json)


def test_it_keeps_every_promise_of_its_capabilities() -> None:
    adapter = toapis()
    for contract in (Provider, TaskProvider, LookupProvider, UploadProvider, WebhookProvider):
        assert isinstance(adapter, contract), contract
    assert adapter.capabilities.lookup
    assert adapter.capabilities.trusts_expiry


def test_the_guides_smallest_request_is_the_start_of_ours() -> None:
    guide = json.loads(sample("toapis_minimal_request.json"))
    request = toapis().submission(order("toapis", job=guide))
    canonical = json.dumps(guide, ensure_ascii=False, separators=(",", ":")).encode()
    assert request.json == canonical[:-1] + b',"client_business_id":"' + ATTEMPT.encode() + b'"}'
    assert (request.method, request.url) == ("POST", "https://toapis.com/v1/images/generations")
    assert request.auth == ("Authorization", "Bearer ")


def test_a_full_request_has_its_fields_in_one_order() -> None:
    request = toapis().submission(
        order(
            "toapis",
            job={"model": "gpt-image-2", "prompt": '猫 "q"', "size": "3:2 ", "n": 2,
                 "params": {"response_format": "url", "resolution": "2K"}, "extra": {"seed": 7}},
            at={"base_url": "https://api.toapis.com//v1/", "params": {"channel": 4, "resolution": "1K"}},
            references=(MUG, UrlInput(url="https://b.example")), mask=UrlInput(url="https://m.example"),
            callback_url="https://me.example/hook",
        )
    )  # fmt: skip
    assert request.url == "https://api.toapis.com/v1/images/generations"
    assert (
        request.json
        == (
            '{"model":"gpt-image-2","prompt":"猫 \\"q\\"","size":"3:2","n":2,'
            '"reference_images":["https://files.example/mug.png?a=1&b=2","https://b.example"],"mask_url":"https://m.example",'
            f'"resolution":"2K","response_format":"url","channel":4,"seed":7,"client_business_id":"{ATTEMPT}",'
            '"callback_url":"https://me.example/hook"}'
        ).encode()
    )


def test_the_name_of_the_reference_field_is_an_option() -> None:
    request = toapis().submission(order("toapis", at={"options": {"reference_field": "image_urls"}}, references=(MUG,)))
    assert body(request)["image_urls"] == [MUG.url]
    assert "reference_images" not in body(request)
    assert "size" not in body(request)


def test_a_file_that_was_not_uploaded_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="must be uploaded"):
        toapis().submission(order("toapis", references=(PNG,)))


def test_an_upload_is_a_form_of_the_file_and_its_purpose() -> None:
    request = toapis().upload_request(PNG, account("toapis"))
    assert request.url == "https://toapis.com/v1/uploads/images"
    assert request.form is not None
    assert [(part.name, part.filename, part.content_type) for part in request.form] == [
        ("file", "mug.png", "image/png"), ("purpose", None, None),
    ]  # fmt: skip
    assert [part.content for part in request.form] == [PNG.content, b"generation"]


def test_an_upload_answers_with_the_url_to_order_with() -> None:
    uploaded = {"success": True, "message": "ok", "data": {"id": "f", "url": "https://files.example/f.png", "size": 3}}
    assert toapis().read_upload(answer(uploaded)) == "https://files.example/f.png"
    others: list[Any] = [{"success": False, "message": "too big"}, {"data": {"url": ""}}, {"data": []}, []]
    for other in others:
        with pytest.raises(Unreadable):
            toapis().read_upload(answer(other))


def test_the_guides_smallest_answer_is_an_accepted_task() -> None:
    report = toapis().read_submission(answer(sample("toapis_minimal_answer.json"), x_request_id="r1"))
    assert (report.status, report.word, report.remote_id) == (Status.RUNNING, "queued", "task_img_xxxxxxxx")
    assert (report.progress, report.outputs, report.failure, report.request_id) == (0, (), None, "r1")


@pytest.mark.parametrize("task", [{"id": "img_1"}, {"id": 17, "status": "odd"}, {"task_id": "t", "status": "pending"}, DONE])
def test_an_accepted_task_is_never_lost_whatever_else_is_missing(task: dict[str, Any]) -> None:
    report = toapis().read_submission(answer(task))
    assert (report.status, report.remote_id) == (Status.RUNNING, str(task.get("id", task.get("task_id"))))


@pytest.mark.parametrize("other", [{}, {"status": "queued"}, {"id": ""}, [], "text", {"choices": []}])
def test_an_answer_to_a_submission_without_an_id_is_unreadable(other: Any) -> None:
    with pytest.raises(Unreadable):
        toapis().read_submission(answer(other))


def test_an_error_object_with_status_200_is_a_failure() -> None:
    report = toapis().read_submission(answer({"error": {"code": "content_policy_violation", "message": "no"}}))
    assert report.status is Status.FAILED
    assert report.failure is not None
    assert report.failure.code is ErrorCode.REFUSED


def test_status_and_lookup_ask_at_the_same_place_with_the_id_quoted() -> None:
    assert toapis().status_request("a/b?c", account("toapis")).url == "https://toapis.com/v1/images/generations/a%2Fb%3Fc"
    request = toapis().lookup_request(ATTEMPT, account("toapis"))
    assert (request.method, request.url) == ("GET", f"https://toapis.com/v1/images/generations/{ATTEMPT}")


@pytest.mark.parametrize("word", [word for word in STATUSES if STATUSES[word] is Status.RUNNING])
def test_every_word_of_the_beginning_means_running(word: str) -> None:
    report = toapis().read_status(answer({"id": "t", "status": word.upper(), "progress": 40}))
    assert (report.status, report.word, report.progress) == (Status.RUNNING, word.upper(), 40)


@pytest.mark.parametrize("word", [word for word in STATUSES if STATUSES[word] is not Status.RUNNING])
def test_every_word_of_the_end_means_what_the_table_says(word: str) -> None:
    report = toapis().read_status(answer({"id": "t", "status": word, "url": "https://x.example"}))
    assert report.status is STATUSES[word]
    assert (report.failure is not None) is (report.status in (Status.FAILED, Status.CANCELLED))


@pytest.mark.parametrize("word", ["", "polishing", "complete", "done?", "success!"])
def test_a_word_that_no_table_knows_is_running_and_kept(word: str) -> None:
    report = toapis().read_status(answer({"id": "t", "status": word, "result": {"data": [{"url": "https://x.example"}]}}))
    assert (report.status, report.word, report.outputs) == (Status.RUNNING, word, ())


@pytest.mark.parametrize(
    "place",
    [
        {
            "result": {"type": "image", "data": [{"url": "https://r.example/0"}, {"url": "https://r.example/1"}]},
            "url": "https://z",
        },
        {
            "result": {"data": []},
            "data": [{"url": "https://r.example/0"}, {"url": "https://r.example/1"}],
            "images": ["https://z"],
        },
        {"result": None, "output": ["https://r.example/0", "https://r.example/1"]},
        {"outputs": [{"url": "https://r.example/0"}, "https://r.example/1", {"kind": "log"}, None, 3]},
        {"images": ["https://r.example/0", {"url": "https://r.example/1"}]},
    ],
)
def test_urls_are_read_wherever_they_are_known_to_stand(place: dict[str, Any]) -> None:
    report = toapis().read_status(answer({**DONE, **place}))
    assert report.outputs == (Output(url="https://r.example/0"), Output(url="https://r.example/1"))


def test_one_url_may_stand_at_the_top() -> None:
    assert toapis().read_status(answer({**DONE, "url": "https://r.example"})).outputs == (Output(url="https://r.example"),)
    assert toapis().read_status(answer({**DONE, "output": "https://r.example"})).outputs == (Output(url="https://r.example"),)


def test_base64_in_a_task_is_taken_as_bytes() -> None:
    report = toapis().read_status(answer({**DONE, "data": [{"b64_json": "aGk="}, {"url": "data:image/png;base64,aGk="}]}))
    assert [output.base64 for output in report.outputs] == ["aGk=", "data:image/png;base64,aGk="]
    assert [output.url for output in report.outputs] == [None, None]


def test_a_completed_task_tells_when_it_ended_and_when_its_result_goes() -> None:
    times = {"completed_at": 1703884825, "expires_at": 1703971225, "usage": {"output_tokens": 3}}
    report = toapis().read_status(answer({**DONE, **times, "url": "https://r.example"}))
    assert (report.completed_at, report.expires_at, report.usage) == (1703884825.0, 1703971225.0, {"output_tokens": 3})


@pytest.mark.parametrize("odd", [True, "soon", None, 0, -5, [1]])
def test_odd_times_and_progress_are_unknown(odd: Any) -> None:
    report = toapis().read_status(answer({**DONE, "completed_at": odd, "expires_at": odd, "url": "https://r.example"}))
    assert (report.completed_at, report.expires_at) == (None, None)


def test_a_completed_task_without_an_image_stays_in_sight() -> None:
    with pytest.raises(Unreadable, match="no image"):
        toapis().read_status(answer({**DONE, "result": {"data": [{"url": ""}]}}))


@pytest.mark.parametrize("other", [{"id": "t"}, {"data": {}}, [], 3])
def test_a_status_answer_that_is_no_task_is_unreadable(other: Any) -> None:
    with pytest.raises(Unreadable):
        toapis().read_status(answer(other))


@pytest.mark.parametrize(
    ("reason", "code", "message"),
    [
        ({"error": {"code": "generation_failed", "message": "oops"}}, ErrorCode.GENERATION_FAILED, "oops"),
        ({"error": {"code": "generation_failed", "message": "Upstream said 422"}}, ErrorCode.REFUSED, "Upstream said 422"),
        ({"error": {"code": "generation_failed", "message": "safety system"}}, ErrorCode.REFUSED, "safety system"),
        ({"error": {"code": 422, "type": "content_policy_violation", "message": "no"}}, ErrorCode.REFUSED, "no"),
        ({"error": {"code": "insufficient_quota", "message": "empty"}}, ErrorCode.QUOTA, "empty"),
        ({"fail_reason": "timeout"}, ErrorCode.GENERATION_FAILED, "timeout"),
        ({"error": "cable cut"}, ErrorCode.GENERATION_FAILED, "cable cut"),
        ({"error": {"code": "odd", "message": "?"}}, ErrorCode.GENERATION_FAILED, "?"),
        ({}, ErrorCode.GENERATION_FAILED, "the task is failed, and no reason is given"),
        ({"fail_reason": "invalid apitype: -1"}, ErrorCode.WRONG_ENDPOINT,
         "invalid apitype: -1 - an image model was sent to a chat endpoint; check base_url and endpoint"),
    ],
)  # fmt: skip
def test_a_failed_task_says_why_in_our_words(reason: dict[str, Any], code: ErrorCode, message: str) -> None:
    failure = toapis().read_status(answer({"id": "t", "status": "failed", "progress": 0, **reason})).failure
    assert failure is not None
    assert (failure.code, failure.message) == (code, message)


def test_a_cancelled_task_is_cancelled() -> None:
    failure = toapis().read_status(answer({"id": "t", "status": "cancelled"})).failure
    assert failure is not None
    assert failure.code is ErrorCode.TASK_CANCELLED


@pytest.mark.parametrize("mine", [{}, {"client_business_id": ATTEMPT}, {"metadata": {"client_business_id": ATTEMPT}}])
def test_a_lookup_finds_the_task_of_our_attempt(mine: dict[str, Any]) -> None:
    report = toapis().read_lookup(answer({"id": "task_9", "status": "in_progress", **mine}), ATTEMPT)
    assert report is not None
    assert (report.remote_id, report.status) == ("task_9", Status.RUNNING)


@pytest.mark.parametrize(
    "other",
    [None, [], {}, {"success": True, "data": None}, {"id": "x"}, {"status": "queued"}, {"error": {"code": 404}},
     {"id": "t", "status": "queued", "client_business_id": "another"},
     {"id": "t", "status": "queued", "metadata": {"client_business_id": "b"}}],
)  # fmt: skip
def test_a_lookup_finds_nothing_in_an_answer_without_our_task(other: Any) -> None:
    assert toapis().read_lookup(answer(other), ATTEMPT) is None


def test_a_lookup_that_brings_a_web_page_proves_nothing() -> None:
    with pytest.raises(Unreadable):
        toapis().read_lookup(answer(b"<html>busy</html>"), ATTEMPT)


def test_a_completed_task_found_without_an_image_is_asked_for_again() -> None:
    report = toapis().read_lookup(answer(DONE), ATTEMPT)
    assert report is not None
    assert (report.status, report.remote_id) == (Status.RUNNING, "task_1")


def test_a_call_names_its_task() -> None:
    call = {
        "id": "evt_1", "type": "generation.completed", "api_version": "1", "created_at": 1,
        "data": {"task_id": "task_1", "client_business_id": ATTEMPT, "status": "completed", "finished_at": 1703884825,
                 "result": {"data": [{"url": "https://r.example"}]}, "error": None},
    }  # fmt: skip
    report = toapis().read_webhook({}, json.dumps(call).encode())
    assert (report.status, report.remote_id, report.completed_at) == (Status.SUCCEEDED, "task_1", 1703884825.0)
    call["data"] = {"task_id": "task_1", "status": "failed", "error": {"code": "generation_failed", "message": "oops"}}
    failed = toapis().read_webhook({}, json.dumps(call).encode())
    assert failed.failure is not None
    assert failed.failure.message == "oops"


@pytest.mark.parametrize("call", [b'{"type":"endpoint.test"}', b"{}", b"hello", b'{"data":{"task_id":"t"}}', b"[]"])
def test_a_call_about_no_task_is_unreadable(call: bytes) -> None:
    with pytest.raises(Unreadable):
        toapis().read_webhook({}, call)


ERROR_ROWS: list[tuple[int, Any, ErrorCode]] = [
    (400, {"code": "invalid_request_error", "message": "n must be a number"}, ErrorCode.INVALID_REQUEST),
    (400, {"code": None, "type": "invalid_request_error", "message": "bad"}, ErrorCode.INVALID_REQUEST),
    (400, {"code": "invalid_reference_images", "message": "base64"}, ErrorCode.INVALID_REQUEST),
    (400, {"code": "webhook_not_configured", "message": "console"}, ErrorCode.INVALID_REQUEST),
    (401, {"code": 401, "type": "authentication_error", "message": "key"}, ErrorCode.BAD_KEY),
    (401, {"code": "401", "type": "invalid_request_error", "message": "key"}, ErrorCode.BAD_KEY),
    (402, {"code": "insufficient_quota", "message": "balance"}, ErrorCode.QUOTA),
    (402, {"code": 402, "message": "pay"}, ErrorCode.QUOTA),
    (403, {"code": "denied", "message": "your balance is used up"}, ErrorCode.QUOTA),
    (403, {"code": "denied", "message": "not for you"}, ErrorCode.NO_ACCESS),
    (404, {"code": 404, "type": "not_found_error", "message": "task"}, ErrorCode.NOT_FOUND),
    (404, {"code": "task_not_found", "message": "task"}, ErrorCode.NOT_FOUND),
    (413, {"code": "invalid_request_error", "message": "large"}, ErrorCode.TOO_LARGE),
    (422, {"code": "content_policy_violation", "message": "no"}, ErrorCode.REFUSED),
    (422, {"message": "no"}, ErrorCode.INVALID_REQUEST),
    (429, {"code": "rate_limit_exceeded", "message": "slow down"}, ErrorCode.THROTTLED),
    (429, {"code": "rate_limit_exceeded", "message": "Quota exceeded: 300 requests per minute"}, ErrorCode.THROTTLED),
    (429, {"code": "rate_limit_exceeded", "message": "your quota is used up"}, ErrorCode.QUOTA),
    (429, {"code": "insufficient_quota", "message": "empty"}, ErrorCode.QUOTA),
    (429, {"message": "Insufficient balance"}, ErrorCode.QUOTA),
    (429, {"message": "too many"}, ErrorCode.THROTTLED),
    (500, {"code": "internal_error", "message": "oops"}, ErrorCode.SERVER_ERROR),
    (502, {"message": "bad gateway"}, ErrorCode.GATEWAY_ERROR),
    (503, {"code": "rate_limit_unavailable", "message": "limiter"}, ErrorCode.UNAVAILABLE),
    (400, {"message": "invalid apitype: -1"}, ErrorCode.WRONG_ENDPOINT),
    (500, {"message": "Invalid: invalid apitype: -1 (request id: 1)"}, ErrorCode.WRONG_ENDPOINT),
]


@pytest.mark.parametrize(("status", "error", "code"), ERROR_ROWS)
def test_every_documented_error_has_its_code(status: int, error: dict[str, Any], code: ErrorCode) -> None:
    failure = toapis().read_failure(answer({"error": error}, status=status, x_request_id="r9"))
    assert (failure.code, failure.http_status, failure.request_id) == (code, status, "r9")
    assert failure.message.startswith(error["message"])


def test_a_failed_upload_is_read_too() -> None:
    failure = toapis().read_failure(answer({"success": False, "message": "file too large"}, status=400))
    assert (failure.code, failure.message) == (ErrorCode.INVALID_REQUEST, "file too large")


def test_a_numeric_code_gives_way_to_the_word_beside_it() -> None:
    failure = toapis().read_failure(answer({"error": {"code": 404, "type": "not_found_error", "message": "x"}}, status=404))
    assert failure.provider_code == "not_found_error"
    assert toapis().read_failure(answer({"error": {"code": 404, "message": "x"}}, status=404)).provider_code == "404"

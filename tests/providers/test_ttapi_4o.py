import json
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import RemoteImage
from orchestrator.providers.base import Inputs, Shape, TaskProvider, UrlInput, WebhookProvider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.ttapi_job_answers import STATUSES
from orchestrator.transport.messages import Request, Unreadable

from .making import MASK, PNG, answer, local, sample
from .relays import account, adapter, errors, order, spec

JOBS = "ttapi-4o"
NEWER = {"options": {"submit_path": "/openai/gpt/generations"}}
GUIDE = json.loads(sample("ttapi_4o_on_queue.json"))["data"]


def jobs() -> Any:
    found = adapter(JOBS)
    assert isinstance(found, TaskProvider)
    assert isinstance(found, WebhookProvider)
    return found


def body(request: Request) -> Any:
    return json.loads(request.json or b"")


def test_it_is_a_task_api_that_takes_addresses_and_calls_back() -> None:
    capabilities = jobs().capabilities
    assert (capabilities.shape, capabilities.inputs) == (Shape.TASK, Inputs.URL_ONLY)
    assert (capabilities.callback, capabilities.refetch, capabilities.lookup) == (True, True, False)


def test_the_guides_request_is_ours_to_the_byte() -> None:
    references = tuple(UrlInput(url=url) for url in GUIDE["referImages"])
    made = order(JOBS, job={"prompt": GUIDE["prompt"]}, references=references, callback_url=GUIDE["hookUrl"])
    request = jobs().submission(made)
    guide = {name: GUIDE[name] for name in ("prompt", "referImages", "hookUrl")}
    assert request.json == json.dumps(guide, ensure_ascii=False, separators=(",", ":")).encode()
    assert (request.method, request.url) == ("POST", "https://api.ttapi.org/openai/4o-image/generations")
    assert request.auth == ("TT-API-KEY", "")


def test_a_prompt_alone_is_the_whole_request() -> None:
    request = jobs().submission(order(JOBS, at={"options": {"auth": "bearer"}}))
    assert (request.json, request.auth) == (b'{"prompt":"draw a mug"}', ("Authorization", "Bearer "))


@pytest.mark.parametrize(
    ("path", "fetch"),
    [
        ("/openai/4o-image/generations", "/openai/4o-image/fetch"),
        ("/openai/v1/4o-image/generations", "/openai/4o-image/fetch"),
        ("/openai/gpt/generations", "/openai/gpt/fetch"),
    ],
)
def test_the_path_is_an_option_and_brings_its_fetch(path: str, fetch: str) -> None:
    at = {"options": {"submit_path": path}}
    assert jobs().submission(order(JOBS, at=at)).url == f"https://api.ttapi.org{path}"
    assert jobs().status_request("j", account(JOBS, **at)).url == f"https://api.ttapi.org{fetch}?jobId=j"
    assert path in jobs().options()["submit_path"]
    assert fetch in jobs().options()["fetch_path"]


def test_the_fetch_may_have_a_path_of_its_own() -> None:
    for path in jobs().options()["fetch_path"]:
        request = jobs().status_request("j", account(JOBS, options={"fetch_path": path}))
        assert request.url == f"https://api.ttapi.org{path}?jobId=j"


def test_a_job_is_fetched_by_get_or_by_post() -> None:
    got = jobs().status_request("a b&c=d", account(JOBS))
    assert (got.method, got.url, got.json) == (
        "GET", "https://api.ttapi.org/openai/4o-image/fetch?jobId=a+b%26c%3Dd", None,
    )  # fmt: skip
    posted = jobs().status_request("a b&c=d", account(JOBS, options={"fetch_method": "post", "auth": "bearer"}))
    assert (posted.method, posted.url) == ("POST", "https://api.ttapi.org/openai/4o-image/fetch")
    assert (posted.json, posted.auth, got.auth) == (b'{"jobId":"a b&c=d"}', ("Authorization", "Bearer "), ("TT-API-KEY", ""))


def test_the_newer_path_takes_a_model_and_a_shape_or_pixels() -> None:
    shaped = jobs().submission(
        order(JOBS, job={"model": "gpt-image-2", "size": "16:9 "}, at=NEWER, references=(UrlInput(url="https://a"),))
    )
    assert shaped.json == b'{"model":"gpt-image-2","aspect_ratio":"16:9","prompt":"draw a mug","referImages":["https://a"]}'
    sized = jobs().submission(order(JOBS, job={"model": "gpt-image-2-plus", "size": "1024x1024"}, at=NEWER))
    assert body(sized) == {"model": "gpt-image-2-plus", "size": "1024x1024", "prompt": "draw a mug"}


def test_a_file_that_got_here_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="URLs"):
        jobs().submission(order(JOBS, references=(PNG,)))


def test_success_of_a_submission_means_accepted() -> None:
    report = jobs().read_submission(answer(sample("ttapi_4o_accepted.json"), x_request_id="r1"))
    assert (report.status, report.remote_id) == (Status.RUNNING, "5ecc5080-b1d7-4b9f-8184-435e46ebb5cb")
    assert (report.outputs, report.failure, report.request_id) == ((), None, "r1")


@pytest.mark.parametrize(
    "accepted",
    [
        {"status": "SUCCESS", "message": "success", "data": {"job_id": "j1"}},
        {"status": "SUCCESS", "jobId": "j1"},
        {"job_id": "j1"},
        {"status": "FAILED", "message": "late", "data": {"jobId": "j1"}},
        {"status": "ON_QUEUE", "data": {"jobId": "j1", "imageUrl": "https://r.example"}},
    ],
)
def test_a_job_id_is_never_lost_whatever_it_is_called_and_stands_beside(accepted: dict[str, Any]) -> None:
    report = jobs().read_submission(answer(accepted))
    assert (report.status, report.remote_id, report.outputs) == (Status.RUNNING, "j1", ())


def test_a_submission_that_failed_with_status_200_is_a_failure() -> None:
    report = jobs().read_submission(answer(sample("ttapi_4o_refusal.json")))
    assert (report.status, report.remote_id) == (Status.FAILED, None)
    assert report.failure is not None
    assert report.failure.message == "TTAPI says FAILED and gives no reason"


@pytest.mark.parametrize("other", [{}, {"status": "SUCCESS", "data": None}, {"data": {"jobId": ""}}, {"jobId": True}, [], "x", 1])
def test_an_answer_to_a_submission_without_an_id_is_unreadable(other: Any) -> None:
    with pytest.raises(Unreadable):
        jobs().read_submission(answer(other))


def test_the_guides_waiting_job_is_running() -> None:
    report = jobs().read_status(answer(sample("ttapi_4o_on_queue.json")))
    assert (report.status, report.word, report.outputs) == (Status.RUNNING, "ON_QUEUE", ())
    assert report.remote_id == "0ccf0606-3f32-4090-85bd-1786e4593be5"


def test_the_guides_finished_job_has_one_image_and_no_known_end() -> None:
    report = jobs().read_status(answer(sample("ttapi_4o_success.json")))
    url = "https://cdnc.ttapi.io/2025-03-31/cd3f3ce5-06be-4b3a-9aed-014045ca1804.png"
    assert (report.status, report.outputs) == (Status.SUCCEEDED, (Output(url=url),))
    assert (report.completed_at, report.expires_at) == (None, None)  # finishTime names no time zone
    assert report.usage == {"quota": "2"}


def test_the_guides_failed_job_says_why_and_took_nothing() -> None:
    report = jobs().read_status(answer(sample("ttapi_4o_failed.json")))
    assert report.failure is not None
    assert (report.status, report.failure.code, report.failure.message) == (
        Status.FAILED, ErrorCode.GENERATION_FAILED, "job failed",
    )  # fmt: skip
    assert report.usage == {"quota": "0"}
    assert jobs().cost(spec(JOBS), account(JOBS), report) == 0


@pytest.mark.parametrize("word", [*STATUSES, *(word.lower() for word in STATUSES)])
def test_every_status_word_means_what_the_table_says(word: str) -> None:
    report = jobs().read_status(answer({"status": word, "jobId": "j", "data": {"imageUrl": "https://r.example"}}))
    assert (report.status, report.word) == (STATUSES[word.upper()], word)
    assert bool(report.outputs) is (report.status is Status.SUCCEEDED)
    assert (report.failure is not None) is (report.status is Status.FAILED)


@pytest.mark.parametrize("word", ["", "DRAWING", "success!", "DONE"])
def test_a_word_no_table_knows_is_running_and_kept(word: str) -> None:
    report = jobs().read_status(answer({"status": word, "jobId": "j", "data": {"imageUrl": "https://r.example"}}))
    assert (report.status, report.word, report.outputs) == (Status.RUNNING, word, ())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", ErrorCode.GENERATION_FAILED),
        (None, ErrorCode.GENERATION_FAILED),
        ("Content policy violation", ErrorCode.REFUSED),
        ("blocked by our moderation", ErrorCode.REFUSED),
        ("Insufficient balance", ErrorCode.QUOTA),
    ],
)
def test_a_failed_job_is_read_by_its_message_and_may_have_none(message: str | None, code: ErrorCode) -> None:
    report = jobs().read_status(answer({"status": "FAILED", "message": message, "jobId": "j", "data": {"quota": "0"}}))
    assert report.failure is not None
    assert (report.failure.code, report.failure.message) == (code, message or "TTAPI says FAILED and gives no reason")


@pytest.mark.parametrize(
    "other",
    [
        {"status": "FAILED", "message": "try later", "data": None},
        {"status": "SUCCESS", "message": "success", "data": None},
        {"status": "SUCCESS", "jobId": "j", "data": {"imageUrl": None, "finishTime": None}},
        {"jobId": "j", "data": {}},
        {"status": 1, "jobId": "j"},
        [],
        b"<html>",
    ],
)
def test_a_no_that_names_no_job_does_not_give_up_what_is_paid_for(other: Any) -> None:
    with pytest.raises(Unreadable):
        jobs().read_status(answer(other))


def test_a_job_that_ended_without_an_image_has_failed_with_advice() -> None:
    ended = {
        "status": "SUCCESS",
        "message": "success",
        "jobId": "j",
        "data": {"imageUrl": None, "finishTime": "2025-03-31 04:25:33"},
    }
    report = jobs().read_status(answer(ended))
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.FAILED, ErrorCode.NO_IMAGE)
    assert "ask it to draw" in report.failure.message


def test_a_call_is_read_as_a_fetch_is() -> None:
    for name in ("on_queue", "success", "failed"):
        content = sample(f"ttapi_4o_{name}.json")
        assert jobs().read_webhook({"content-type": "application/json"}, content) == jobs().read_status(answer(content))


@pytest.mark.parametrize("call", [b"", b"hello", b"{}", b'{"status":"SUCCESS","data":{"imageUrl":"https://r.example"}}', b"[]"])
def test_a_call_about_no_job_is_unreadable(call: bytes) -> None:
    with pytest.raises(Unreadable):
        jobs().read_webhook({}, call)


@pytest.mark.parametrize(
    ("quota", "cost"),
    [
        ("2", "0.02"), ("0", "0.00"), ("2.5", "0.025"), (3, "0.03"),
        ("", "0.02"), (None, "0.02"), ("two", "0.02"), (True, "0.02"), ("-1", "0.02"),
    ],
)  # fmt: skip
def test_what_a_job_took_is_its_quota_in_hundredths_of_a_dollar_else_the_price(quota: Any, cost: str) -> None:
    data = {"imageUrl": "https://r.example", "quota": quota}
    report = jobs().read_status(answer({"status": "SUCCESS", "jobId": "j", "data": data}))
    assert jobs().cost(spec(JOBS), account(JOBS), report) == Decimal(cost)


def test_the_worth_of_a_quota_is_data_that_a_user_may_lay_over() -> None:
    over = {JOBS: {"models": {"gpt-4o-image": {"price": {"unit": "0.005"}}}}}
    cheaper = adapter(JOBS, Catalog.builtin().overlay(over))
    report = jobs().read_status(answer(sample("ttapi_4o_success.json")))
    assert cheaper.cost(spec(JOBS), account(JOBS), report) == Decimal("0.010")


def test_at_a_relay_a_quota_is_worth_what_nobody_knows() -> None:
    report = jobs().read_status(answer(sample("ttapi_4o_success.json")))
    relay = account(JOBS, base_url="https://relay.example")
    assert jobs().cost(spec(JOBS), relay, report) is None
    priced = account(JOBS, base_url="https://relay.example", prices={"gpt-4o-image": {"per_image": "0.03"}})
    assert jobs().cost(spec(JOBS), priced, report) == Decimal("0.03")


def test_a_job_is_expected_to_cost_two_cents_where_the_price_is_known() -> None:
    assert jobs().estimate(spec(JOBS), account(JOBS)).worst == Decimal("0.02")
    assert jobs().estimate(spec(JOBS, model="gpt-image-2"), account(JOBS, **NEWER)).worst is None
    report: Report = jobs().read_status(answer(sample("ttapi_4o_success.json")))
    assert jobs().cost(spec(JOBS, model="gpt-image-2"), account(JOBS, **NEWER), report) == Decimal("0.02")


WHERE = "(ttapi-4o gpt-4o-image)"


@pytest.mark.parametrize(
    ("field", "error", "way_out"),
    [
        (
            {"size": "1:1"},
            f"size cannot be sent {WHERE}; got 1:1 - TTAPI's guide gives this model no size; ",
            "say the shape in the prompt, or use a model of ttapi-images",
        ),
        (
            {"n": 2},
            f"n must be 1 {WHERE}; got 2 - TTAPI makes one image for each of these jobs; ",
            "set fan_out: true on the job",
        ),
        (
            {"mask": MASK, "references": (RemoteImage(url="https://a.example"),)},
            f"a mask cannot be sent {WHERE} - TTAPI's guide gives these jobs no mask; ",
            "a model of ttapi-edits takes one",
        ),
        (
            {"references": (local(),)},
            f"reference 1 is a local file {WHERE} - TTAPI's guide takes web addresses only; ",
            "put the file on the web, let it be served (references: served, --public-url), or use a model of ttapi-edits",
        ),
        (
            {"params": {"quality": "high"}},
            f"quality cannot be sent {WHERE}: TTAPI's 4o jobs have no quality; ",
            "a model of ttapi-images has one",
        ),
        (
            {"params": {"hookUrl": "https://me"}},
            f"hookUrl is not a parameter {WHERE}; ",
            "it is set where the program receives callbacks",
        ),
        (
            {"extra": {"referImages": []}},
            "referImages cannot be sent as it is: ",
            f"references: are a field of the job itself {WHERE}",
        ),
        (
            {"model": "gpt-image-2"},
            "model must be gpt-4o-image (ttapi-4o); got gpt-image-2 - ",
            "set options.submit_path to /openai/gpt/generations on the account, which takes other models",
        ),
    ],
)
def test_what_a_job_cannot_take_is_refused_with_what_would_work(field: dict[str, Any], error: str, way_out: str) -> None:
    assert errors(JOBS, **field) == [error + way_out]


def test_several_images_are_fine_where_each_is_a_request_of_its_own() -> None:
    assert errors(JOBS, n=3, fan_out=True) == []


@pytest.mark.parametrize(
    ("model", "size", "right"),
    [
        ("gpt-image-2", "1:1", True), ("gpt-image-2", "9:16", True), ("gpt-image-2", "2:3", False),
        ("gpt-image-2", "1024x1024", False),
        ("gpt-image-2-plus", "3840x2160", True), ("gpt-image-2-plus", "1024x640", True), ("gpt-image-2-plus", "1024x624", False),
        ("gpt-image-2-plus", "3856x2160", False), ("gpt-image-2-plus", "1000x1000", False), ("gpt-image-2-plus", "16:9", False),
        ("gpt-image-1", "1024x1024", False), ("gpt-image-1.5", "1:1", False), ("gpt-4o-image", "1:1", False),
    ],
)  # fmt: skip
def test_the_newer_path_has_sizes_for_two_models(model: str, size: str, *, right: bool) -> None:
    assert (errors(JOBS, at=NEWER, model=model, size=size) == []) is right
    assert errors(JOBS, at=NEWER, model=model) == []

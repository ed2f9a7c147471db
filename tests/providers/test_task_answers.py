from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import TaskProvider
from orchestrator.providers.registry import Registry
from orchestrator.transport.messages import Unreadable

from .making import RELAY, account, answer, edits, errors, images, today

LINK = Output(url="https://files.example/1.png")
OTHER = Output(url="https://files.example/2.png")


def accepted(body: Any) -> Report:
    return images().read_submission(answer(body))


def standing(body: Any) -> Report:
    return images().read_status(answer(body))


def asked(remote_id: str, **options: str) -> str:
    return images().status_request(remote_id, account("openai-images", base_url=RELAY, options=options)).url


def test_adapters_of_openais_shape_can_be_asked_for_tasks() -> None:
    assert isinstance(images(), TaskProvider)
    assert isinstance(edits(), TaskProvider)


@pytest.mark.parametrize(
    ("body", "remote_id", "url"),
    [
        pytest.param({"id": "task_1", "status": "queued"}, "task_1", "/v1/images/generations/task_1", id="toapis"),
        pytest.param({"id": 7, "status": "submitted", "data": []}, "7", "/v1/images/generations/7", id="id as number"),
        pytest.param({"task_id": "a/b c", "status": "x"}, "a/b c", "/v1/images/generations/a%2Fb%20c", id="odd id"),
        pytest.param(
            {"id": "/x", "status": "x"}, "/v1/images/generations/%2Fx", "/v1/images/generations/%2Fx", id="id like a path"
        ),
        pytest.param(
            {"code": 200, "data": [{"status": "submitted", "task_id": "task_1"}]},
            "/v1/tasks/task_1",
            "/v1/tasks/task_1",
            id="apimart",
        ),
        pytest.param({"code": 0, "data": {"task_id": "t/1"}}, "/v1/tasks/t%2F1", "/v1/tasks/t%2F1", id="enveloped"),
    ],
)
def test_a_task_is_accepted_and_asked_for_at_its_own_path(body: Any, remote_id: str, url: str) -> None:
    report = accepted(body)
    assert (report.status, report.remote_id, report.outputs, report.failure) == (Status.RUNNING, remote_id, (), None)
    assert asked(remote_id) == RELAY + url


@pytest.mark.parametrize("remote_id", ["task/1", "/v1/tasks/task%2F1"])
def test_the_accounts_own_path_outranks_both(remote_id: str) -> None:
    assert asked(remote_id, task_path="/v2/query/{id}?full=1") == f"{RELAY}/v2/query/task%2F1?full=1"


@pytest.mark.parametrize("path", ["v1/tasks/{id}", "/v1/tasks", "https://elsewhere.example/{id}"])
def test_a_path_that_is_none_is_an_error_before_anything_is_sent(path: str) -> None:
    (message,) = errors(images(), at={"options": {"task_path": path}})
    assert message == f"options.task_path must be a path such as /v1/images/generations/{{id}}; got {path}"


def test_several_tasks_are_held_for_only_one_can_be_followed() -> None:
    with pytest.raises(Unreadable, match="holds 2 tasks"):
        accepted({"data": [{"task_id": "a"}, {"task_id": "b"}]})


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x", "status": "completed", "data": [{"url": LINK.url}]},
        {"id": "x", "status": "completed", "result": {"data": [{"url": LINK.url}]}},
        {"created": 1, "data": [{"url": LINK.url, "task_id": "x"}]},
    ],
)
def test_images_that_are_there_already_are_taken(body: Any) -> None:
    report = accepted(body)
    assert (report.status, report.outputs) == (Status.SUCCEEDED, (LINK,))


def test_a_task_that_is_done_without_an_image_is_asked_for_once_more() -> None:
    report = accepted({"id": "x", "status": "completed"})
    assert (report.status, report.remote_id) == (Status.RUNNING, "x")


def test_a_task_that_failed_at_once_has_failed() -> None:
    failure = accepted({"id": "x", "status": "failed", "fail_reason": "blocked by moderation"}).failure
    assert failure is not None
    assert failure.code is ErrorCode.REFUSED


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        pytest.param(
            {"id": "x", "status": "completed", "data": [{"url": LINK.url, "status": "ok"}, {"url": OTHER.url}]},
            (LINK, OTHER),
            id="data",
        ),
        pytest.param(
            {
                "code": 200,
                "data": {
                    "id": "x",
                    "status": "completed",
                    "result": {"images": [{"url": [LINK.url], "expires_at": 1}, {"url": [OTHER.url]}]},
                },
            },
            (LINK, OTHER),
            id="apimart",
        ),
        pytest.param({"status": "SUCCESS", "data": {"status": "completed", "images": [LINK.url]}}, (LINK,), id="enveloped"),
        pytest.param({"data": [{"status": "completed", "url": LINK.url}]}, (LINK,), id="item"),
        pytest.param({"created": 1, "data": [{"url": LINK.url}]}, (LINK,), id="only images"),
        pytest.param({"id": "x", "status": "succeeded", "data": [{"b64_json": "aGk="}]}, (Output(base64="aGk="),), id="base64"),
    ],
)
def test_a_completed_task_shows_all_its_images_and_keeps_its_id(body: Any, outputs: tuple[Output, ...]) -> None:
    report = standing(body)
    assert (report.status, report.outputs, report.remote_id) == (Status.SUCCEEDED, outputs, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "x", "status": "processing", "progress": 40}, Status.RUNNING),
        ({"code": 200, "data": {"id": "x", "status": "pending"}}, Status.RUNNING),
        ({"id": "x", "status": "upscaling"}, Status.RUNNING),
        ({"id": "x", "status": "failed", "error": {"message": "no"}}, Status.FAILED),
        ({"code": 200, "data": {"id": "x", "status": "cancelled"}}, Status.CANCELLED),
    ],
)
def test_a_task_stands_as_its_word_says(body: Any, status: Status) -> None:
    assert standing(body).status is status


@pytest.mark.parametrize("body", [b"", {}, {"code": 200, "data": {}}, {"id": "x"}, {"id": "x", "status": "completed"}])
def test_an_answer_that_is_no_task_is_asked_for_again(body: Any) -> None:
    with pytest.raises(Unreadable):
        standing(body)


@pytest.mark.parametrize("identifier", ["ttapi-images", "ttapi-edits"])
def test_ttapis_adapters_follow_tasks_with_their_own_key_header(identifier: str) -> None:
    adapter = Registry(today=today, plugins=()).provider(identifier)
    assert adapter.read_submission(answer({"id": "x", "status": "queued"})).status is Status.RUNNING
    assert isinstance(adapter, TaskProvider)
    settings = AccountSettings(name="studio", provider=identifier, base_url=RELAY, api_key_env="STUDIO_KEY")
    request = adapter.status_request("x", settings)
    assert (request.url, request.auth) == (f"{RELAY}/v1/images/generations/x", ("TT-API-KEY", ""))

"""A task where images were expected: some relays of OpenAI's shape accept an order and let its task be asked for.

Such a task is paid for like any other, so it is followed. Two ways of answering are known (providers.md 1.3 and G):
`{"id", "status"}`, and `{"data": [{"task_id", "status"}]}`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import quote, unquote

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Finding
from orchestrator.providers.event_stream import is_stream
from orchestrator.providers.openai_shape import images_in, read_images
from orchestrator.providers.toapis_answers import read_task, status_word, task_id
from orchestrator.transport.messages import Answer, Request, Unreadable, joined, shown

PATH = "/v1/images/generations/{id}"
"""Where a task is asked for that is the answer itself."""
PATH_INSIDE_DATA = "/v1/tasks/{id}"
"""Where a task is asked for that stands inside `data`."""
OPTIONS: Mapping[str, tuple[Json, ...] | type] = MappingProxyType({"task_path": str})
"""The account option that outranks both paths."""


class FollowsTasks:
    """What an adapter needs so that its tasks are followed: it is then a `TaskProvider`, though no task may ever come.

    The remote id of a task inside `data` is its path, so that it is found again after a restart.
    """

    first_poll = 2.0
    longest_poll = 10.0

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a task's state."""
        path = account.options.get("task_path")
        bare = unquote(remote_id.rpartition("/")[2]) if remote_id.startswith("/") else remote_id
        if isinstance(path, str) or not remote_id.startswith("/"):
            remote_id = str(path or PATH).replace("{id}", quote(bare, safe=""))
        return Request(method="GET", url=joined(account, remote_id))

    def read_status(self, answer: Answer) -> Report:
        """Return how a task stands; raise `Unreadable` for no task, and for a completed one without any image."""
        body = answer.object()
        task = next((task for task in _candidates(body) if status_word(task) is not None), None)
        if task is None and images_in(body.get("data")):
            return read_images(answer)
        if task is None:
            raise Unreadable(f"the answer is no task: {shown(answer.body)}")
        report = replace(read_task(answer, task), remote_id=None)
        if report.status is Status.SUCCEEDED and not report.outputs:
            raise Unreadable(f"the task is completed, but no image is in the answer: {shown(answer.body)}")
        return report


def read_images_or_task(answer: Answer) -> Report:
    """Return the images of a 2xx answer, why there are none, or the task to ask for; raise `Unreadable` for another shape."""
    task = None if is_stream(answer) else read_accepted(answer, answer.object())
    return task or read_images(answer)


def read_accepted(answer: Answer, body: Mapping[str, Json]) -> Report | None:
    """Return the task that an answer is, or None where it is something else; raise `Unreadable` for several tasks."""
    if body.get("error") or images_in(body.get("data")):
        return None
    inside = [task for task in _inside(body) if task_id(task) and ("task_id" in task or status_word(task))]
    if len({task_id(task) for task in inside}) > 1:
        raise Unreadable(f"the answer holds {len(inside)} tasks, and one can be followed: {shown(answer.body)}")
    if inside:
        return _accepted(read_task(answer, inside[0]), PATH_INSIDE_DATA)
    if task_id(body) and status_word(body) is not None and "choices" not in body:
        return _accepted(read_task(answer, body), PATH)
    return None


def path_findings(account: AccountSettings) -> Iterator[Finding]:
    """Yield what is wrong with the account's `task_path`."""
    path = account.options.get("task_path")
    if path is not None and not (isinstance(path, str) and path.startswith("/") and "{id}" in path):
        yield Finding(path=("account",), message=f"options.task_path must be a path such as {PATH}; got {path}")


def _accepted(report: Report, path: str) -> Report:
    bare = str(report.remote_id)
    by_path = path != PATH or bare.startswith("/")
    report = replace(report, remote_id=path.replace("{id}", quote(bare, safe="")) if by_path else bare)
    # A task that is done at once but shows no image is only asked for once more: its id must not be lost.
    is_empty = report.status is Status.SUCCEEDED and not report.outputs
    return replace(report, status=Status.RUNNING) if is_empty else report


def _candidates(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Yield what may be the task: where `data` is an object, the words around it speak of the request, not of the task."""
    inside = _inside(body)
    yield from (body, *inside) if isinstance(body.get("data"), list) else (*inside, body)


def _inside(body: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    data = body.get("data")
    listed = data if isinstance(data, list) else [data]
    return [item for item in listed if isinstance(item, Mapping)]

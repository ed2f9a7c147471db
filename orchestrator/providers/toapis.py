"""ToAPIs' image task API (providers.md 1): POST gives a task id, GET tells how the task stands."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import quote

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, FileInput, Input, Inputs, Order, Shape, UrlInput
from orchestrator.providers.error_body import failure, judged, read_error
from orchestrator.providers.fields import json_body, optional_fields, size_field, text_part
from orchestrator.providers.signatures import Signing
from orchestrator.providers.toapis_answers import ERRORS, FORGOTTEN, client_id, read_task, status_word, task_failure, task_id
from orchestrator.transport.messages import Answer, Part, Request, Unreadable, joined, shown

TASKS = "/v1/images/generations"
UPLOADS = "/v1/uploads/images"
REFERENCE_FIELDS = ("reference_images", "image_urls")
"""The guide's name and the live pages' name of one and the same field (providers.md 1.9)."""


class ToApis(CatalogAdapter):
    """The adapter `toapis`."""

    id = "toapis"
    capabilities = Capabilities(
        shape=Shape.TASK,
        inputs=Inputs.UPLOAD,
        lookup=True,
        refetch=True,
        callback=True,
        trusts_expiry=True,
        references={"served": Inputs.SERVED},
    )
    default_base_url = "https://toapis.com"
    default_key_variable = "TOAPIS_API_KEY"
    first_poll = 2.0
    longest_poll = 10.0
    forgotten = FORGOTTEN
    signing = Signing.TOAPIS
    endpoint = "toapis"
    reserved = MappingProxyType(
        {
            **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
            **dict.fromkeys(REFERENCE_FIELDS, "references: are a field of the job itself"),
            "mask_url": "mask: is a field of the job itself",
            "client_business_id": "it carries the attempt's id, by which a lost task is found",
            "metadata": "it could carry another client_business_id than the attempt's id",
            "callback_url": "it is set where the program receives callbacks",
        }
    )

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: the name under which references are sent, and how local ones get there."""
        return {"reference_field": REFERENCE_FIELDS, "references": ("upload", "served")}

    def submission(self, order: Order) -> Request:
        """Return the paid request; references and mask must have been uploaded already."""
        fields: dict[str, Json] = {"model": order.spec.model, "prompt": order.spec.prompt, **size_field(order), "n": order.spec.n}
        if order.references:
            name = str(order.account.options.get("reference_field", REFERENCE_FIELDS[0]))
            fields[name] = [_url(reference) for reference in order.references]
        if order.mask is not None:
            fields["mask_url"] = _url(order.mask)
        fields |= optional_fields(order, self.api)
        fields["client_business_id"] = order.attempt_id
        if order.callback_url is not None:
            fields["callback_url"] = order.callback_url
        return Request(method="POST", url=joined(order.account, TASKS), json=json_body(fields))

    def read_submission(self, answer: Answer) -> Report:
        """Return the task that was accepted, or why none was; raise `Unreadable` when no id can be found."""
        body = answer.object()
        if status_word(body) is None and body.get("error"):
            return Report(status=Status.FAILED, failure=task_failure(answer, body))
        if task_id(body) is None:
            raise Unreadable(f"the answer to a submission holds no task id: {shown(answer.body)}")
        report = read_task(answer, body)
        # A task that is done at once but shows no image is only asked for once more: its id must not be lost.
        return _still_running(report) if _is_empty(report) else report

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a task's state."""
        return Request(method="GET", url=joined(account, f"{TASKS}/{quote(remote_id, safe='')}"))

    def read_status(self, answer: Answer) -> Report:
        """Return how a task stands; raise `Unreadable` for no task, and for a completed one without any image."""
        body = answer.object()
        if status_word(body) is None:
            raise Unreadable(f"the answer is no task: {shown(answer.body)}")
        report = read_task(answer, body)
        if _is_empty(report):
            raise Unreadable(f"the task is completed, but no image is in the answer: {shown(answer.body)}")
        return report

    def lookup_request(self, attempt_id: str, account: AccountSettings) -> Request:
        """Return the free request for the task with this `client_business_id`: it stands where the task id stands."""
        return self.status_request(attempt_id, account)

    def read_lookup(self, answer: Answer, attempt_id: str) -> Report | None:
        """Return the task; None when the answer shows none, or one with another reference than ours."""
        body = answer.json()
        if not isinstance(body, dict) or task_id(body) is None or status_word(body) is None:
            return None
        if client_id(body) not in (None, attempt_id):
            return None
        report = read_task(answer, body)
        return _still_running(report) if _is_empty(report) else report

    def upload_request(self, file: FileInput, account: AccountSettings) -> Request:
        """Return the free request that uploads one reference or mask (providers.md 1.7)."""
        content = Part(name="file", content=file.content, filename=file.filename, content_type=file.content_type)
        return Request(method="POST", url=joined(account, UPLOADS), form=(content, text_part("purpose", "generation")))

    def read_upload(self, answer: Answer) -> str:
        """Return the URL of an uploaded file; raise `Unreadable` when the answer gives none."""
        data = answer.object().get("data")
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or not url:
            raise Unreadable(f"the answer to an upload holds no URL: {shown(answer.body)}")
        return url

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Report:
        """Return what a call says of its task (providers.md 1.6); raise `Unreadable` for a test call or another shape."""
        answer = Answer(status=200, headers=headers, body=body)
        task = answer.object().get("data")
        if not isinstance(task, dict) or task_id(task) is None or status_word(task) is None:
            raise Unreadable(f"the call is about no task: {shown(body)}")
        return replace(read_task(answer, task), attempt_id=client_id(task))

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        body = read_error(answer)
        return failure(answer, body, judged(body, answer.status, ERRORS))


def _url(image: Input) -> str:
    if isinstance(image, UrlInput):
        return image.url
    raise TypeError("toapis takes URLs; a local file must be uploaded before it is ordered with")


def _is_empty(report: Report) -> bool:
    return report.status is Status.SUCCEEDED and not report.outputs


def _still_running(report: Report) -> Report:
    return Report(status=Status.RUNNING, word=report.word, remote_id=report.remote_id, request_id=report.request_id)

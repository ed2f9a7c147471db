"""TTAPI's image jobs (providers.md 2.4): POST gives a job id, a fetch tells how the job stands.

The first endpoint makes one model's images and takes no `model`; a newer one, of the same shape, takes several models and sizes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import urlencode

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, Estimate, Finding, Input, Inputs, Order, Shape, UrlInput
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.error_body import request_id
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.hosts import at_home, in_simulation
from orchestrator.providers.signatures import Signing
from orchestrator.providers.ttapi_account import AUTH_OPTION, BASE_URL, KEY_VARIABLE, authorised
from orchestrator.providers.ttapi_errors import embedded_failure, is_failed, read_failure
from orchestrator.providers.ttapi_job_answers import job_id, quota_of, read_job, shows, used
from orchestrator.providers.ttapi_job_checks import RESERVED, job_findings
from orchestrator.transport.messages import Answer, Request, Unreadable, joined, shown

NEWER_PATH = "/openai/gpt/generations"
FETCH_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "/openai/4o-image/generations": "/openai/4o-image/fetch",
        "/openai/v1/4o-image/generations": "/openai/4o-image/fetch",
        NEWER_PATH: "/openai/gpt/fetch",
    }
)
"""Option `submit_path` -> where its jobs are fetched. The second path stands in a sample only, which shows no fetch."""
OTHER_FETCH_PATH = "/openai/v1/4o-image/fetch"
_FIRST_PATH = next(iter(FETCH_PATHS))


class FirstEndpoint(CatalogAdapter):
    """The rules of the endpoint that takes no model."""

    id = "ttapi-4o"
    reserved = RESERVED

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield what is wrong; a model that this endpoint does not make is wrong whatever the host."""
        if spec.model in self.api.models:
            yield from super().validate(spec, account)
            return
        message = (
            f"model must be {', '.join(self.api.models)} ({self.id}); got {spec.model} - "
            f"set options.submit_path to {NEWER_PATH} on the account, which takes other models"
        )
        yield Finding(path=("model",), message=message)


class NewerEndpoint(CatalogAdapter):
    """The rules of the endpoint that takes several models."""

    id = "ttapi-4o-newer"
    reserved = RESERVED


class Ttapi4o:
    """The adapter `ttapi-4o`."""

    id = FirstEndpoint.id
    capabilities = Capabilities(
        shape=Shape.TASK, inputs=Inputs.URL_ONLY, refetch=True, callback=True, references={"served": Inputs.SERVED}
    )
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    first_poll = 5.0
    longest_poll = 15.0
    signing = Signing.NONE
    endpoint = FirstEndpoint.id

    def __init__(self, catalog: Catalog, today: Callable[[], date]) -> None:
        self._first = FirstEndpoint(catalog, today)
        self._newer = NewerEndpoint(catalog, today)

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `auth`, the paths of submission and fetch, the fetch's method, and `references`."""
        return {
            **AUTH_OPTION,
            "submit_path": tuple(FETCH_PATHS),
            "fetch_path": (*dict.fromkeys(FETCH_PATHS.values()), OTHER_FETCH_PATH),
            "fetch_method": ("get", "post"),
            "references": ("urls", "served"),
        }

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        return job_findings(spec, account, self._endpoint(account))

    def submission(self, order: Order) -> Request:
        """Return the paid request; a shape (16:9) and pixels (1024x1024) are two fields of the newer endpoint."""
        fields: dict[str, Json] = {}
        if _is_newer(order.account):
            size = size_field(order).get("size")
            shape = {} if size is None else {"aspect_ratio" if ":" in size else "size": size}
            fields = {"model": order.spec.model, **shape}
        fields["prompt"] = order.spec.prompt
        if order.references:
            fields["referImages"] = [_url(reference) for reference in order.references]
        fields |= optional_fields(order, self._endpoint(order.account).api)
        if order.callback_url is not None:
            fields["hookUrl"] = order.callback_url
        request = Request(method="POST", url=joined(order.account, _submit_path(order.account)), json=json_body(fields))
        return authorised(request, order.account)

    def read_submission(self, answer: Answer) -> Report:
        """Return the accepted job, or why there is none; raise `Unreadable` when no id can be found.

        SUCCESS says no more than that, and whatever has an id is a job: how it ended is asked of the fetch.
        """
        body = answer.object()
        found = job_id(body)
        if found is not None:
            return Report(status=Status.RUNNING, remote_id=found, request_id=request_id(answer))
        if is_failed(body):
            failure, data = embedded_failure(answer, body), body.get("data")
            usage = used(data) if isinstance(data, Mapping) else {}
            return Report(status=Status.FAILED, failure=failure, usage=usage, request_id=request_id(answer))
        raise Unreadable(f"the answer to a submission holds no job id: {shown(answer.body)}")

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a job's state: GET with the id in the query, or POST with it in the body."""
        url = joined(account, str(account.options.get("fetch_path", FETCH_PATHS[_submit_path(account)])))
        asked = {"jobId": remote_id}
        if account.options.get("fetch_method") == "post":
            return authorised(Request(method="POST", url=url, json=json_body(asked)), account)
        return authorised(Request(method="GET", url=f"{url}?{urlencode(asked)}"), account)

    def read_status(self, answer: Answer) -> Report:
        """Return how a job stands; raise `Unreadable` for no job, and for an unfinished success without an image."""
        return read_job(answer)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Report:
        """Return what a call says of its job; it is a fetch's answer, unsigned. Raises `Unreadable` as `read_status` does."""
        report = read_job(Answer(status=200, headers=headers, body=body))
        if report.remote_id is None:
            raise Unreadable(f"the call names no job: {shown(body)}")
        return report

    def is_task_of(self, answer: Answer, spec: JobSpec, is_our_path: Callable[[str], bool]) -> bool:
        """Say whether a fetched job has the prompt and the hook URL of ours: what it shows must agree, and it must show one."""
        return shows(answer, spec.prompt, is_our_path)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return read_failure(answer)

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        """Return what a job should and could cost, from the account's prices or the catalog's."""
        return self._endpoint(account).estimate(spec, account)

    def cost(self, spec: JobSpec, account: AccountSettings, report: Report) -> Decimal | None:
        """Return what TTAPI took from the balance, where the job says it and the catalog knows its worth, else the price."""
        endpoint = self._endpoint(account)
        price, quota = endpoint.api.rules(spec.model).price, quota_of(report.usage)
        if quota is None or price is None or price.unit is None or not (at_home(account, endpoint.api) or in_simulation(account)):
            return endpoint.cost(spec, account, report)
        return quota * price.unit

    def _endpoint(self, account: AccountSettings) -> CatalogAdapter:
        return self._newer if _is_newer(account) else self._first


def _submit_path(account: AccountSettings) -> str:
    return str(account.options.get("submit_path", _FIRST_PATH))


def _is_newer(account: AccountSettings) -> bool:
    return _submit_path(account) == NEWER_PATH


def _url(image: Input) -> str:
    if isinstance(image, UrlInput):
        return image.url
    raise TypeError("TTAPI's jobs take URLs; a local file has no way to them")

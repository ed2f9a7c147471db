"""TTAPI's image generation (providers.md 2.1): OpenAI's request and answer at TTAPI's gateway."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Capabilities, Finding, Inputs, Order, Shape
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.openai_adapter import OpenAIAdapter
from orchestrator.providers.task_answers import OPTIONS
from orchestrator.providers.ttapi_account import AUTH_OPTION, BASE_URL, KEY_VARIABLE, authorised, upstream_findings
from orchestrator.providers.ttapi_errors import read_failure
from orchestrator.providers.ttapi_pictures import read_pictures
from orchestrator.transport.messages import Answer, Request, joined


class TtapiImages(OpenAIAdapter):
    """The adapter `ttapi-images`."""

    id = "ttapi-images"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.NONE)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    path: ClassVar[str] = "/v1/images/generations"

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `auth`, the header that carries the key, and `task_path`, for tasks instead of images."""
        return {**AUTH_OPTION, **OPTIONS}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from upstream_findings(spec, account, self._catalog, self._today())

    def submission(self, order: Order) -> Request:
        """Return the paid request. The model always stands in it: TTAPI's default is a model that is gone (providers.md 0.3)."""
        fields = {
            "model": order.spec.model,
            "prompt": order.spec.prompt,
            "n": order.spec.n,
            **size_field(order),
            **optional_fields(order, self.api),
        }
        return authorised(Request(method="POST", url=joined(order.account, self.path), json=json_body(fields)), order.account)

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_pictures(answer)

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a task that came instead of images."""
        return authorised(super().status_request(remote_id, account), account)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return read_failure(answer)

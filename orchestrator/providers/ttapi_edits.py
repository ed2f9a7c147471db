"""TTAPI's image edits (providers.md 2.2): OpenAI's form, or its JSON, at TTAPI's gateway.

TTAPI's older page takes files and few fields; its newer page takes JSON with image addresses and more fields. The form is sent
unless the account's option `edit_body` says otherwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json, LocalImage, Reference
from orchestrator.providers import data_url
from orchestrator.providers.base import Capabilities, Finding, Inputs, Order, Shape
from orchestrator.providers.openai_adapter import OpenAIAdapter
from orchestrator.providers.openai_edits import OpenAIEdits
from orchestrator.providers.task_answers import OPTIONS
from orchestrator.providers.ttapi_account import AUTH_OPTION, BASE_URL, KEY_VARIABLE, authorised, upstream_findings
from orchestrator.providers.ttapi_errors import read_failure
from orchestrator.providers.ttapi_pictures import read_pictures
from orchestrator.transport.messages import Answer, Request

BODIES = ("multipart", "json")
"""Values of the account option `edit_body`; the first is the default."""
NEWER_FIELDS = ("background", "output_format", "input_fidelity", "moderation", "stream", "partial_images", "user")
"""Fields that only the page with the JSON body lists."""


class TtapiEdits(OpenAIEdits):
    """The adapter `ttapi-edits`."""

    id = "ttapi-edits"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `auth`, and `edit_body`, the form of the request."""
        return {**AUTH_OPTION, "edit_body": BODIES, **OPTIONS}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from OpenAIAdapter.validate(self, spec, account)
        yield from upstream_findings(spec, account, self._catalog, self._today())
        if _body(account) == "multipart":
            yield from _form_findings(spec, account)
            return
        if not self.api.rules(spec.model).references.urls:
            message = f"model {spec.model} takes files only ({spec.provider}); set edit_body: multipart on the account"
            yield Finding(path=("model",), message=message)
        yield from _json_findings(spec)

    def takes_urls(self, account: AccountSettings) -> bool:
        """Say whether a URL goes as it is: into a form only what it shows can go."""
        return _body(account) == "json"

    def submission(self, order: Order) -> Request:
        """Return the paid request, always with its model: TTAPI's default is a model that is gone (providers.md 0.3)."""
        options = {**order.account.options, "edit_body": _body(order.account)}
        account = replace(order.account, options=options)
        return authorised(super().submission(replace(order, account=account)), account)

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_pictures(answer)

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a task that came instead of images."""
        return authorised(super().status_request(remote_id, account), account)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return read_failure(answer)


def _body(account: AccountSettings) -> str:
    return str(account.options.get("edit_body", BODIES[0]))


def _form_findings(spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
    where = f"({spec.provider} {spec.model})"
    given = {**account.params, **spec.params}
    for name in NEWER_FIELDS:
        if name in given:
            message = f"{name} may be refused or ignored {where}: TTAPI lists it for edit_body: json only"
            yield Finding(path=("params", name), message=message, severity=Severity.WARNING)


def _json_findings(spec: JobSpec) -> Iterator[Finding]:
    where = f"({spec.provider} {spec.model})"
    for path, image in _images(spec):
        if not isinstance(image, LocalImage):
            continue
        if data_url.length_of(image) > data_url.LONGEST:
            message = f"a file of {image.size} bytes is too long for a data URL {where}; set edit_body: multipart on the account"
            yield Finding(path=path, message=message)
        else:
            message = f"a file goes as a data URL {where}: OpenAI documents that, TTAPI shows web addresses only"
            yield Finding(path=path, message=message, severity=Severity.WARNING)


def _images(spec: JobSpec) -> Iterator[tuple[FieldPath, Reference]]:
    for index, image in enumerate(spec.references):
        yield ("references", index), image
    if spec.mask is not None:
        yield ("mask",), spec.mask

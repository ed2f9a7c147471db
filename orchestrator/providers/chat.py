"""Images ordered through a chat endpoint (providers.md 4): the prompt is a message, references are parts of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json, LocalImage
from orchestrator.providers import data_url, openai_errors, task_answers
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, FileInput, Finding, Input, Inputs, Order, Shape
from orchestrator.providers.chat_answers import read_chat
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.hosts import at_home, host_of
from orchestrator.providers.task_answers import FollowsTasks, path_findings
from orchestrator.transport.messages import Answer, Request, joined

PATH = "/v1/chat/completions"
TASK_APIS = ("toapis",)
"""APIs whose image models are tasks: sent through their chat endpoint they fail, and may be billed (providers.md 1.5)."""


class Chat(FollowsTasks, CatalogAdapter):
    """The adapter `chat`."""

    id = "chat"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT)
    default_base_url = "https://api.rainboxs.com"
    default_key_variable = "RAINBOXS_API_KEY"
    reserved = MappingProxyType(
        {
            **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
            "messages": "the prompt and the references: make the one message",
            **dict.fromkeys(("image", "images", "reference_images", "image_urls"), "references: are a field of the job itself"),
        }
    )

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `task_path`, where a task is asked for that came instead of an image."""
        return task_answers.OPTIONS

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        for finding in super().validate(spec, account):
            # The sizes are those of one gateway, and a size has no other way into a request.
            elsewhere = finding.path == ("size",) and not at_home(account, self.api)
            yield replace(finding, severity=Severity.WARNING) if elsewhere else finding
        yield from path_findings(account)
        yield from self._doubts(spec, account)

    def _doubts(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        host = host_of(account.base_url)
        for name in TASK_APIS:
            if host in self._catalog.api(name).hosts:
                yield _doubt(
                    ("account",),
                    f"{host} makes images as tasks; through its chat endpoint they fail with `invalid apitype: -1` "
                    f"and may be billed: use provider {name}",
                )
        if spec.references and at_home(account, self.api):
            yield _doubt(("references",), f"{host} documents no references; they are sent as image_url parts of the message")
        for index, image in enumerate(spec.references):
            if isinstance(image, LocalImage) and data_url.length_of(image) > data_url.LONGEST:
                message = f"reference {index + 1} has {image.size} bytes, which makes a very long data URL; a URL may do better"
                yield _doubt(("references", index), message)

    def submission(self, order: Order) -> Request:
        """Return the paid request; local references stand in it as data URLs."""
        fields = {
            "model": order.spec.model,
            "messages": [{"role": "user", "content": _content(order)}],
            "n": order.spec.n,
            **size_field(order),
            **optional_fields(order, self.api),
        }
        return Request(method="POST", url=joined(order.account, PATH), json=json_body(fields))

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_chat(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)


def _doubt(path: FieldPath, message: str) -> Finding:
    return Finding(path=path, message=message, severity=Severity.WARNING)


def _content(order: Order) -> Json:
    """Return the prompt as the plain text that is documented, or in parts where references go with it."""
    if not order.references:
        return order.spec.prompt
    images = [{"type": "image_url", "image_url": {"url": _address(image)}} for image in order.references]
    return [{"type": "text", "text": order.spec.prompt}, *images]


def _address(image: Input) -> str:
    return data_url.data_url(image) if isinstance(image, FileInput) else image.url

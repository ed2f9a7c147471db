"""OpenAI's image generation, and relays that imitate it (providers.md 5.3): one JSON request whose answer is the image."""

from collections.abc import Iterator, Mapping

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers import openai_errors
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, Finding, Inputs, Order, Shape
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE, RESERVED, output_findings
from orchestrator.providers.openai_shape import read_images
from orchestrator.transport.messages import Answer, Request, joined

PATH = "/v1/images/generations"


class OpenAIImages(CatalogAdapter):
    """The adapter `openai-images`."""

    id = "openai-images"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.NONE)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    reserved = RESERVED

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: none."""
        return {}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from output_findings(spec, account)

    def submission(self, order: Order) -> Request:
        """Return the paid request. The model always stands in it: the API's own default is dead (providers.md 0.3)."""
        fields = {
            "model": order.spec.model,
            "prompt": order.spec.prompt,
            "n": order.spec.n,
            **size_field(order),
            **optional_fields(order, self.api),
        }
        return Request(method="POST", url=joined(order.account, PATH), json=json_body(fields))

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_images(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)

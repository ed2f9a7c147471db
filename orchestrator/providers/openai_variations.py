"""OpenAI's image variations (providers.md 5.5): one picture in a form, others like it back.

OpenAI has shut down the only model that makes them; relays may still serve it.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers import openai_errors, task_answers
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, Finding, Inputs, Order, Shape
from orchestrator.providers.fields import file_part, optional_fields, size_field, text_part
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE, RESERVED
from orchestrator.providers.task_answers import FollowsTasks, path_findings, read_images_or_task
from orchestrator.transport.messages import Answer, Request, joined

PATH = "/v1/images/variations"


class OpenAIVariations(FollowsTasks, CatalogAdapter):
    """The adapter `openai-variations`."""

    id = "openai-variations"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    reserved = MappingProxyType({name: why for name, why in RESERVED.items() if name not in ("stream", "partial_images")})

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `task_path`, where a task is asked for that came instead of images."""
        return task_answers.OPTIONS

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from path_findings(account)
        message = f"the prompt is not sent: a variation has none ({self.id} {spec.model}); it only names the job"
        yield Finding(path=("prompt",), message=message, severity=Severity.WARNING)

    def submission(self, order: Order) -> Request:
        """Return the paid request. The model always stands in it: what a relay takes for the default is not known."""
        fields = {"model": order.spec.model, "n": order.spec.n, **size_field(order), **optional_fields(order, self.api)}
        image = file_part("image", order.references[0])
        form = (image, *(text_part(name, value) for name, value in fields.items()))
        return Request(method="POST", url=joined(order.account, PATH), form=form)

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_images_or_task(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)

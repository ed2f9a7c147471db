"""OpenAI's image generation, and relays that imitate it (providers.md 5.3): one JSON request whose answer is the image."""

from collections.abc import Mapping

from orchestrator.jobs.spec import Json
from orchestrator.providers import task_answers
from orchestrator.providers.base import Capabilities, Inputs, Order, Shape
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.openai_adapter import OpenAIAdapter
from orchestrator.transport.messages import Request, joined

PATH = "/v1/images/generations"


class OpenAIImages(OpenAIAdapter):
    """The adapter `openai-images`."""

    id = "openai-images"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.NONE)

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `task_path`, where a task is asked for that came instead of images."""
        return task_answers.OPTIONS

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

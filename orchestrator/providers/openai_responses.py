"""OpenAI's Responses API with its image tool (providers.md 5.7): a conversation that ends in an image.

A job's `model` is the image model, as everywhere; the text model that calls it is `mainline_model`, for which the catalog has a
default. So a job means the same wherever it is sent, and its size, quality and price are those of what draws it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json, LocalImage
from orchestrator.providers import data_url, openai_errors, openai_responses_stream
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, Estimate, Finding, Inputs, Order, Preview, Previous, Shape, Turn
from orchestrator.providers.fields import json_body
from orchestrator.providers.hosts import at_home
from orchestrator.providers.mainline import Mainline
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE, output_findings
from orchestrator.providers.openai_files import REFERENCES, OpenAIFiles, by_file_id
from orchestrator.providers.openai_responses_answers import read_response
from orchestrator.providers.openai_responses_request import MODES, body_of, mode_of
from orchestrator.providers.openai_streaming import with_previews
from orchestrator.providers.openai_webhooks import OpenAIWebhooks
from orchestrator.providers.price_list import own_price
from orchestrator.providers.prices import Asked, Price, prompt_tokens
from orchestrator.transport.messages import Answer, Request, joined

PATH = "/v1/responses"
CONVERSATIONS = ("response", "image_call")
"""Values of the account option `conversation`; the first is the default."""
_OWN = "it is written by the adapter"
_SEEN = {"likely": 1000, "worst": 3000}
"""Our guess at the tokens that the text model reads for each image, itself included for the tool's own description."""
_WRITTEN = {"likely": 300, "worst": 5000}
"""Our guess at the tokens that it thinks and writes before it calls the tool."""


class OpenAIResponses(OpenAIFiles, OpenAIWebhooks, CatalogAdapter):
    """The adapter `openai-responses`."""

    id = "openai-responses"
    capabilities = Capabilities(
        shape=Shape.TASK,
        inputs=Inputs.CONTENT,
        refetch=True,
        conversation=True,
        inline_results=True,
        modes={"synchronous": Shape.SYNCHRONOUS, "stream": Shape.SYNCHRONOUS},
        references={"file_id": Inputs.UPLOAD},
    )
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    first_poll = 5.0
    longest_poll = 10.0
    reserved = MappingProxyType(
        {
            **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
            **dict.fromkeys(("input", "tools", "tool_choice", "previous_response_id"), _OWN),
            "input_image_mask": "mask: is a field of the job itself",
            **dict.fromkeys(("background", "stream"), "the account's option mode decides how the answer comes"),
        }
    )

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options.

        `mode` says how the answer comes, `references` how local images get there, and `conversation` by what a job goes on where
        another one ended: by the whole response, or by its image alone.
        """
        return {"mode": tuple(MODES), "references": REFERENCES, "conversation": CONVERSATIONS}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from output_findings(spec, account)
        yield from self._model_findings(spec, account)
        yield from _mode_findings(spec, account)
        if type(spec.n) is int and spec.n > 1:
            message = f"one call makes one image (openai-responses {spec.model}); got n {spec.n} - set fan_out: true on the job"
            yield Finding(path=("n",), message=message)
        if not by_file_id(account):
            yield from _length_findings(spec)

    def _model_findings(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        name = self._mainline_name(spec, account)
        path = ("params", "mainline_model")
        if spec.model in self.api.mainline:
            message = f"model must be the image model; {spec.model} is a text model - set params.mainline_model to it"
            yield Finding(path=("model",), message=message)
        if name in self.api.models:
            message = f"mainline_model must be a text model that calls the image tool; {name} is an image model"
            yield Finding(path=path, message=message)
        elif at_home(account, self.api):
            yield from self._life_findings(name, account)

    def _life_findings(self, name: str, account: AccountSettings) -> Iterator[Finding]:
        path, known = ("params", "mainline_model"), self.api.mainline.get(name)
        if known is None:
            message = f"mainline_model {name} is not in the catalog of {self.id}; it is sent as it is"
            yield Finding(path=path, message=message, severity=Severity.WARNING)
        elif known.retires and known.retires <= self._today() and not account.allow_retired:
            message = f"mainline_model {name} was shut down on {known.retires}; use {known.successor}"
            yield Finding(path=path, message=message)

    def previous(self, turn: Turn, account: AccountSettings) -> Previous | None:
        """Return how a request names an earlier turn; None for one that was not to be stored."""
        if turn.params.get("store") is False:
            return None
        if turn.image_call_id is not None and account.options.get("conversation") == "image_call":
            return Previous(image_call_id=turn.image_call_id)
        return None if turn.response_id is None else Previous(response_id=turn.response_id)

    def submission(self, order: Order) -> Request:
        """Return the paid request, in the mode that the account asks for."""
        fields = body_of(order, self.api, self._mainline_name(order.spec, order.account))
        return Request(method="POST", url=joined(order.account, PATH), json=json_body(fields))

    def read_submission(self, answer: Answer) -> Report:
        """Return how the response stands: in the background only begun, else at its end."""
        return read_response(answer)

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a response."""
        return Request(method="GET", url=joined(account, f"{PATH}/{quote(remote_id, safe='')}"))

    def read_status(self, answer: Answer) -> Report:
        """Return how the response stands."""
        return read_response(answer)

    def cancel_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request that stops a background response; it may be sent twice."""
        return Request(method="POST", url=joined(account, f"{PATH}/{quote(remote_id, safe='')}/cancel"))

    def read_cancel(self, answer: Answer) -> Report:
        """Return how the response stands: cancelled, or at an end that came first."""
        return read_response(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)

    def previews(self, body: bytes) -> Sequence[Preview]:
        """Return the unfinished images in what has come of a streamed response so far."""
        return openai_responses_stream.previews(body)

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        """Return what a job should and could cost: the image, and a guess at the text model's tokens."""
        price = self._price(spec, account)
        image = with_previews(super().estimate(spec, account), price, spec, account)
        if spec.model in account.prices:
            return image
        likely, worst = prompt_tokens(spec.prompt)
        return replace(
            image,
            likely=_sum(image.likely, self._talk(spec, account, "likely", likely)),
            worst=_sum(image.worst, self._talk(spec, account, "worst", worst)),
        )

    def cost(self, spec: JobSpec, account: AccountSettings, report: Report) -> Decimal | None:
        """Return the cost of the image's tokens and the text model's; an account's own price of the image counts alone."""
        own, price = own_price(account.prices, spec.model), self._price(spec, account)
        if own is not None or price is None:
            return super().cost(spec, account, report)
        image = report.usage.get("image_gen")
        if isinstance(image, Mapping):
            drawn = price.of_usage(image)
        else:
            asked = self._asked(price, spec, account)
            each = price.image(asked.variant, asked.size)
            drawn = None if each is None else each * len(report.outputs)
        return _sum(drawn, self._mainline(spec, account).cost(report.usage))

    def _asked(self, price: Price, spec: JobSpec, account: AccountSettings) -> Asked:
        return replace(super()._asked(price, spec, account), images_in=self._shown(spec))

    @staticmethod
    def _shown(spec: JobSpec) -> int:
        """Return how many images are looked at; of a conversation at least the one it goes on with."""
        return len(spec.references) + (spec.mask is not None) + (spec.continues is not None)

    def _mainline_name(self, spec: JobSpec, account: AccountSettings) -> str:
        return str({**account.params, **spec.params}.get("mainline_model") or next(iter(self.api.mainline)))

    def _mainline(self, spec: JobSpec, account: AccountSettings) -> Mainline:
        name = self._mainline_name(spec, account)
        return self.api.mainline.get(name) or Mainline(name=name)

    def _talk(self, spec: JobSpec, account: AccountSettings, case: str, prompt: int) -> Decimal | None:
        shown = 1 + self._shown(spec)
        return self._mainline(spec, account).cost({"input_tokens": prompt + shown * _SEEN[case], "output_tokens": _WRITTEN[case]})


def _mode_findings(spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
    params, mode = {**account.params, **spec.params}, mode_of(account.options)
    if params.get("partial_images") and mode != "stream":
        message = f"partial_images needs the account's option mode: stream ({spec.provider} {spec.model}); it is {mode}"
        yield Finding(path=("params", "partial_images"), message=message)
    if params.get("store") is False and mode != "synchronous":
        message = "with store: false a response in the background can be asked for only for about ten minutes"
        yield Finding(path=("params", "store"), message=message, severity=Severity.WARNING)


def _length_findings(spec: JobSpec) -> Iterator[Finding]:
    images = [(("references", index), image) for index, image in enumerate(spec.references)]
    for path, image in [*images, *([(("mask",), spec.mask)] if spec.mask else [])]:
        if isinstance(image, LocalImage) and data_url.length_of(image) > data_url.LONGEST:
            message = (
                f"an image of {image.size} bytes is too long for a data URL ({data_url.LONGEST} characters); "
                "set references: file_id on the account"
            )
            yield Finding(path=path, message=message)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other

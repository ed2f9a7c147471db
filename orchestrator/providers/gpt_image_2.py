"""gpt-image-2 at a relay (providers.md 3): OpenAI's addresses, JSON for edits too, sizes out of a list, results as URLs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers import data_url, openai_errors, task_answers
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, FileInput, Finding, Input, Inputs, Order, Shape
from orchestrator.providers.fields import json_body, optional_fields, size_field
from orchestrator.providers.hints import did_you_mean, said
from orchestrator.providers.prices import Asked, Price
from orchestrator.providers.sizes import SizeList, SizeRule
from orchestrator.providers.task_answers import FollowsTasks, path_findings, read_images_or_task
from orchestrator.transport.messages import Answer, Request, joined

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"

DEFAULT_QUALITY = "medium"
DEFAULT_DELIVERY = "url"
FORMS = ("string", "object")
"""How an image stands in the JSON: as its URL, or as `{"image_url": URL}`; the documents allow both and show the first."""
_PIXELS = re.compile(r"[1-9]\d{1,4}x[1-9]\d{1,4}")


class GptImage2(FollowsTasks, CatalogAdapter):
    """The adapter `gpt-image-2`."""

    id = "gpt-image-2"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT)
    default_base_url = ""
    default_key_variable = "GPT_IMAGE_2_API_KEY"
    reserved = MappingProxyType(
        {
            **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
            **dict.fromkeys(("image", "images"), "references: are a field of the job itself"),
            "mask": "it is a field of the job itself",
            "aspect_ratio": "size sets the ratio, e.g. 1536x864 for 16:9",
        }
    )

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options.

        `sizes` lists sizes besides those of the documents; `image_form` and `mask_form` say how images stand in an edit, and
        that masks are taken at all; `response_format` is what is asked for where a job says nothing, `omit` asks for nothing.
        """
        return {
            "sizes": list,
            "image_form": FORMS,
            "mask_form": ("none", *FORMS),
            "response_format": (DEFAULT_DELIVERY, "b64_json", "omit"),
            **task_answers.OPTIONS,
        }

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        if not account.base_url:
            message = f"account {account.name} needs a base_url: {self.id} is spoken by relays and has no host of its own"
            yield Finding(path=("account",), message=message)
        yield from super().validate(spec, account)
        yield from path_findings(account)
        yield from _size_findings(spec, account, self.api.rules(spec.model).size)
        if spec.model not in self.api.models:
            known = ", ".join(self.api.models)
            message = f"model should be {known} ({self.id}); got {said(spec.model)}, which is sent as it is"
            yield Finding(path=("model",), message=message, severity=Severity.WARNING)
        if spec.mask and account.options.get("mask_form", "none") == "none":
            message = f"a mask is not documented ({self.id}); if the relay takes one, set options.mask_form to string or object"
            yield Finding(path=("mask",), message=message)

    def submission(self, order: Order) -> Request:
        """Return the paid request: an edit as soon as there is a reference; local images stand in it as data URLs.

        Quality is always named: its default decides the price, and relays and OpenAI differ in it.
        """
        fields = {
            "model": order.spec.model,
            "prompt": order.spec.prompt,
            **_images(order),
            **size_field(order),
            "quality": DEFAULT_QUALITY,
            "n": order.spec.n,
            **_delivery(order.account),
            **optional_fields(order, self.api),
        }
        path = EDITS if order.references or order.mask else GENERATIONS
        return Request(method="POST", url=joined(order.account, path), json=json_body(fields))

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_images_or_task(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came; the relay's error body is not documented, so any shape is read."""
        return openai_errors.read_failure(answer, self._catalog)

    def _asked(self, price: Price, spec: JobSpec, account: AccountSettings) -> Asked:
        asked = super()._asked(price, spec, account)
        return replace(asked, variant=asked.variant or DEFAULT_QUALITY) if price.by == "quality" else asked


def _size_findings(spec: JobSpec, account: AccountSettings, rule: SizeRule | None) -> Iterator[Finding]:
    """Yield what the catalog's list leaves open: a size is required, and one that is not listed depends on the account."""
    more = account.options.get("sizes", [])
    if not isinstance(more, list) or not all(isinstance(size, str) and _PIXELS.fullmatch(size) for size in more):
        yield Finding(path=("account",), message=f"options.sizes must list sizes such as 1024x768; got {said(more)}")
        return
    listed = rule.values if isinstance(rule, SizeList) else ()
    known = SizeList(values=(*listed, *more))
    size, where = (spec.size or "").strip(), f"({spec.provider} {spec.model})"
    if not size:
        yield Finding(path=("size",), message=f"size is missing: it has no default {where}; use {known.wanted}")
    elif not known.allows(size) and _PIXELS.fullmatch(size):
        message = (
            f"size {size} is not in the relay's list {where}{did_you_mean(known.nearest(size))}; "
            "if your account has it enabled, name it in the account's options.sizes"
        )
        yield Finding(path=("size",), message=message, severity=Severity.WARNING)


def _images(order: Order) -> dict[str, Json]:
    """Return one reference as `image`, several as `images`, and the mask where the account says that it is taken."""
    options = order.account.options
    found = [_written(reference, options.get("image_form")) for reference in order.references]
    fields: dict[str, Json] = {"image": found[0]} if len(found) == 1 else {"images": found} if found else {}
    return fields | ({"mask": _written(order.mask, options.get("mask_form"))} if order.mask else {})


def _written(image: Input, form: Json) -> Json:
    address = data_url.data_url(image) if isinstance(image, FileInput) else image.url
    return {"image_url": address} if form == "object" else address


def _delivery(account: AccountSettings) -> dict[str, Json]:
    chosen = account.options.get("response_format", DEFAULT_DELIVERY)
    return {} if chosen == "omit" else {"response_format": chosen}

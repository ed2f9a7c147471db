"""OpenAI's image edits, and relays that imitate them (providers.md 5.4): a multipart form, or JSON when an image is a URL."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.places import FieldPath
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json, LocalImage, Reference, RemoteImage
from orchestrator.providers import openai_errors
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Capabilities, FileInput, Finding, Input, Inputs, Order, Shape, UrlInput
from orchestrator.providers.fields import json_body, optional_fields, size_field, text_part
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE, RESERVED, output_findings
from orchestrator.providers.openai_shape import read_images
from orchestrator.transport.messages import Answer, Part, Request, joined

PATH = "/v1/images/edits"
BODIES = ("auto", "multipart", "json")
LONGEST_DATA_URL = 20_971_520
"""Characters of a data URL at most."""


class OpenAIEdits(CatalogAdapter):
    """The adapter `openai-edits`."""

    id = "openai-edits"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE
    reserved = RESERVED

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options: `edit_body`, the form of the request; `auto` takes JSON when an image is a URL."""
        return {"edit_body": BODIES}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        yield from output_findings(spec, account)
        images = _images(spec)
        has_url = any(isinstance(image, RemoteImage) for _, image in images)
        if _is_json(account, has_url=has_url):
            yield from self._json_findings(spec, images)
        else:
            yield from _form_findings(spec, account, images)

    def _json_findings(self, spec: JobSpec, images: Sequence[tuple[FieldPath, Reference]]) -> Iterator[Finding]:
        if not self.api.rules(spec.model).references.urls:
            message = f"the JSON form of edits is for GPT image models only; got {spec.model} - set edit_body: multipart"
            yield Finding(path=("model",), message=message)
        for path, image in images:
            if isinstance(image, LocalImage) and _data_url_length(image) > LONGEST_DATA_URL:
                message = (
                    f"an image of {image.size} bytes is too long for the JSON form of edits ({LONGEST_DATA_URL} characters); "
                    "give all images as files to send a multipart form"
                )
                yield Finding(path=path, message=message)

    def submission(self, order: Order) -> Request:
        """Return the paid request: JSON as soon as one image is a URL, local ones then standing in it as data URLs."""
        url = joined(order.account, PATH)
        images = [*order.references, *([order.mask] if order.mask else [])]
        if _is_json(order.account, has_url=any(isinstance(image, UrlInput) for image in images)):
            return Request(method="POST", url=url, json=json_body(self._json_fields(order)))
        return Request(method="POST", url=url, form=tuple(self._parts(order)))

    def read_submission(self, answer: Answer) -> Report:
        """Return the images, or why there are none; raise `Unreadable` for another shape."""
        return read_images(answer)

    def read_failure(self, answer: Answer) -> Failure:
        """Return why an answer outside 2xx came, whatever its shape; never raises."""
        return openai_errors.read_failure(answer, self._catalog)

    def _json_fields(self, order: Order) -> dict[str, Json]:
        mask = {"mask": {"image_url": _address(order.mask)}} if order.mask else {}
        return {
            "model": order.spec.model,
            "prompt": order.spec.prompt,
            "images": [{"image_url": _address(reference)} for reference in order.references],
            **mask,
            **self._settings(order),
        }

    def _parts(self, order: Order) -> Iterator[Part]:
        yield text_part("model", order.spec.model)
        yield text_part("prompt", order.spec.prompt)
        name = "image[]" if len(order.references) > 1 else "image"
        for reference in order.references:
            yield _file_part(name, reference)
        if order.mask is not None:
            yield _file_part("mask", order.mask)
        for field, value in self._settings(order).items():
            yield text_part(field, value)

    def _settings(self, order: Order) -> dict[str, Json]:
        return {"n": order.spec.n, **size_field(order), **optional_fields(order, self.api)}


def _is_json(account: AccountSettings, *, has_url: bool) -> bool:
    form = account.options.get("edit_body", "auto")
    return form == "json" or (form == "auto" and has_url)


def _form_findings(spec: JobSpec, account: AccountSettings, images: Sequence[tuple[FieldPath, Reference]]) -> Iterator[Finding]:
    for path, image in images:
        if isinstance(image, RemoteImage):
            yield Finding(path=path, message="a URL cannot stand in a multipart form; set edit_body: auto on the account")
    if "moderation" in {**account.params, **spec.params}:
        message = f"moderation needs the JSON form of edits ({spec.provider} {spec.model}); set edit_body: json on the account"
        yield Finding(path=("params", "moderation"), message=message)


def _images(spec: JobSpec) -> list[tuple[FieldPath, Reference]]:
    images: list[tuple[FieldPath, Reference]] = [(("references", index), image) for index, image in enumerate(spec.references)]
    return [*images, (("mask",), spec.mask)] if spec.mask else images


def _data_url_length(image: LocalImage) -> int:
    return len(f"data:image/{image.format};base64,") + 4 * -(-image.size // 3)


def _address(image: Input) -> str:
    if isinstance(image, UrlInput):
        return image.url
    return f"data:{image.content_type};base64,{base64.b64encode(image.content).decode()}"


def _file_part(name: str, image: Input) -> Part:
    if not isinstance(image, FileInput):
        raise TypeError("a multipart form takes files; the image is a URL")
    return Part(name=name, content=image.content, filename=_safe_name(image), content_type=image.content_type)


def _safe_name(image: FileInput) -> str:
    """Return a file name that no server can misread: ASCII, no folders, and the ending its content type promises."""
    path = PurePath(image.filename.replace("\\", "/"))
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem).strip("_") or "image"
    return f"{stem}.{image.content_type.removeprefix('image/')}"

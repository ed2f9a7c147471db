"""OpenAI's image edits, and relays that imitate them (providers.md 5.4): a multipart form, or JSON when an image is a URL."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import FieldPath
from orchestrator.jobs.spec import JobSpec, Json, LocalImage, Reference, RemoteImage
from orchestrator.providers import data_url, task_answers
from orchestrator.providers.base import Capabilities, Finding, Inputs, Order, Shape, UrlInput
from orchestrator.providers.fields import file_part, json_body, optional_fields, size_field, text_part
from orchestrator.providers.openai_adapter import OpenAIAdapter
from orchestrator.providers.openai_files import REFERENCES, OpenAIFiles, address, by_file_id
from orchestrator.transport.messages import Part, Request, joined

PATH = "/v1/images/edits"
BODIES = ("auto", "multipart", "json")


class OpenAIEdits(OpenAIFiles, OpenAIAdapter):
    """The adapter `openai-edits`."""

    id = "openai-edits"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS, inputs=Inputs.CONTENT, references={"file_id": Inputs.UPLOAD})

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account options.

        `edit_body` is the form of the request; `auto` takes JSON when an image is a URL or a file id. With `references: file_id`
        local images are uploaded first and named by id. `task_path` is where a task is asked for that came instead of images.
        """
        return {"edit_body": BODIES, "references": REFERENCES, **task_answers.OPTIONS}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        yield from super().validate(spec, account)
        if _is_json(account, has_url=self._has_url(spec, account)):
            yield from self._json_findings(spec, account, _images(spec))
        else:
            yield from _form_findings(spec, account)

    def takes_urls(self, account: AccountSettings) -> bool:
        """Say whether a URL goes as it is: into a form only what it shows can go."""
        return _is_json(account, has_url=True)

    def _has_url(self, spec: JobSpec, account: AccountSettings) -> bool:
        groups = ((False, spec.references), (True, (spec.mask,)))
        remote = [mask for mask, images in groups if any(isinstance(image, RemoteImage) for image in images)]
        return any(self.image_limits(spec, account, mask=mask).urls for mask in remote)

    def _json_findings(
        self, spec: JobSpec, account: AccountSettings, images: Sequence[tuple[FieldPath, Reference]]
    ) -> Iterator[Finding]:
        if not self.api.rules(spec.model).references.urls:
            message = f"the JSON form of edits is for GPT image models only; got {spec.model} - set edit_body: multipart"
            yield Finding(path=("model",), message=message)
        for path, image in [] if by_file_id(account) else images:
            if isinstance(image, LocalImage) and data_url.length_of(image) > data_url.LONGEST:
                message = (
                    f"an image of {image.size} bytes is too long for the JSON form of edits ({data_url.LONGEST} characters); "
                    "give all images as files to send a multipart form, or set references: file_id on the account"
                )
                yield Finding(path=path, message=message)

    def submission(self, order: Order) -> Request:
        """Return the paid request: JSON as soon as one image is a URL, local ones then standing in it as data URLs."""
        url = joined(order.account, PATH)
        images = [*order.references, *([order.mask] if order.mask else [])]
        if _is_json(order.account, has_url=any(isinstance(image, UrlInput) for image in images)):
            return Request(method="POST", url=url, json=json_body(self._json_fields(order)))
        return Request(method="POST", url=url, form=tuple(self._parts(order)))

    def _json_fields(self, order: Order) -> dict[str, Json]:
        mask = {"mask": address(order.mask)} if order.mask else {}
        return {
            "model": order.spec.model,
            "prompt": order.spec.prompt,
            "images": [address(reference) for reference in order.references],
            **mask,
            **self._settings(order),
        }

    def _parts(self, order: Order) -> Iterator[Part]:
        yield text_part("model", order.spec.model)
        yield text_part("prompt", order.spec.prompt)
        name = "image[]" if len(order.references) > 1 else "image"
        for reference in order.references:
            yield file_part(name, reference)
        if order.mask is not None:
            yield file_part("mask", order.mask)
        for field, value in self._settings(order).items():
            yield text_part(field, value)

    def _settings(self, order: Order) -> dict[str, Json]:
        return {"n": order.spec.n, **size_field(order), **optional_fields(order, self.api)}


def _is_json(account: AccountSettings, *, has_url: bool) -> bool:
    form = account.options.get("edit_body", "auto")
    return form == "json" or (form == "auto" and (has_url or by_file_id(account)))


def _form_findings(spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
    if by_file_id(account):
        yield Finding(path=("account",), message="a file id cannot stand in a multipart form; set edit_body: auto on the account")
    if "moderation" in {**account.params, **spec.params}:
        message = f"moderation needs the JSON form of edits ({spec.provider} {spec.model}); set edit_body: json on the account"
        yield Finding(path=("params", "moderation"), message=message)


def _images(spec: JobSpec) -> list[tuple[FieldPath, Reference]]:
    images: list[tuple[FieldPath, Reference]] = [(("references", index), image) for index, image in enumerate(spec.references)]
    return [*images, (("mask",), spec.mask)] if spec.mask else images

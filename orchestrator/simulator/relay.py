"""A relay that sells gpt-image-2 (providers.md 3): OpenAI's addresses and errors, other fields, results as URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.fields import Fields
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_images import OpenAiGenerations
from orchestrator.simulator.openai_pictures import read_json_pictures
from orchestrator.simulator.orders import Order

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import web

    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference
    from orchestrator.simulator.orders import Task

__all__ = ["RelayEdits", "RelayGenerations"]

MODEL = "gpt-image-2"
FIELDS = ("model", "prompt", "size", "quality", "output_format", "n", "response_format")
EDIT_FIELDS = (*FIELDS, "image", "images", "mask")
SIZES = (
    "1024x768", "768x1024", "1024x1024", "1536x864", "864x1536",
    "1920x1080", "1080x1920", "1536x1536",
    "2048x2048", "3840x2160", "2160x3840",
)  # fmt: skip
MOST_IMAGES = 8
LONGEST_PROMPT = 32_000


class RelayGenerations(OpenAiGenerations):
    """New pictures."""

    provider = "gpt-image-2"

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        return self._read(_json(arrival), FIELDS)

    async def accept(self, request: web.Request, task: Task) -> web.Response:
        """Wait for the pictures and send their URLs, or what else was asked for."""
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        body = {"created": int(self._clock.now()), "data": await self._data(request, task)}
        return json_answer(body, headers=self._identity())

    def _read(self, fields: Fields, known: Collection[str], **pictures: Any) -> Order:  # noqa: ANN401 -- two kinds
        if "aspect_ratio" in fields:
            raise complaint("aspect_ratio is not supported; use size.", param="aspect_ratio", code="unsupported_parameter")
        fields.refuse_unknown(known)
        model = fields.text("model")
        if model != MODEL:
            raise complaint(f"The model '{model}' is not sold here.", param="model", code="model_not_found")
        size = fields.text("size")
        if size not in (*SIZES, *self._options.more_sizes):
            raise complaint(f"The size '{size}' is not enabled for this account.", param="size", code="invalid_value")
        width, height = (int(edge) for edge in size.split("x"))
        delivery = fields.choice("response_format", ("url", "b64_json"), default="url")
        return Order(
            model=model,
            prompt=fields.prompt(LONGEST_PROMPT),
            n=fields.integer("n", default=1, low=1, high=MOST_IMAGES),
            size=size,
            width=width,
            height=height,
            quality=fields.choice("quality", ("low", "medium", "high"), default="medium"),
            format=fields.choice("output_format", ("png", "jpeg", "webp"), default="png"),  # type: ignore[arg-type]  # checked
            delivery="url" if delivery == "url" else "b64",
            **pictures,
        )


class RelayEdits(RelayGenerations):
    """The same with references: one as `image`, several as `images`, each a URL or an object with one."""

    endpoint = "images/edits"

    def judge(self, arrival: Arrival) -> Order:
        """Check every field and picture; raises Refusal."""
        fields = _json(arrival)
        references, mask = _pictures(fields)
        return self._read(fields, EDIT_FIELDS, references=references, mask=mask)


def _json(arrival: Arrival) -> Fields:
    if arrival.json is None:
        raise complaint(arrival.problem or "The body is not JSON.", param="body", code="invalid_json")
    return Fields(arrival.json, complaint)


def _pictures(fields: Fields) -> tuple[tuple[Reference, ...], Reference | None]:
    if ("image" in fields) == ("images" in fields):
        raise complaint("Give either 'image' or 'images'.", param="image", code="invalid_value")
    listed = [fields.raw("image")] if "image" in fields else fields.raw("images")
    if not isinstance(listed, list):
        raise complaint("'images' must be an array.", param="images", code="invalid_type")
    mask = {"mask": _as_object(fields.raw("mask"))} if "mask" in fields else {}
    return read_json_pictures(Fields({"images": [_as_object(image) for image in listed], **mask}, complaint))


def _as_object(image: Any) -> Any:  # noqa: ANN401 -- whatever JSON the client sent
    return {"image_url": image} if isinstance(image, str) else image

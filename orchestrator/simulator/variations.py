"""OpenAI's variations (providers.md 5.5): one square PNG in a form, no prompt; only relays still answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.simulator.fields import Fields
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_images import OpenAiGenerations
from orchestrator.simulator.openai_pictures import read_form_pictures
from orchestrator.simulator.orders import Order

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.ledger import Reference

__all__ = ["OpenAiVariations"]

MODEL = "dall-e-2"
FIELDS = ("model", "n", "size", "response_format", "user")
SIDES = {"256x256": 256, "512x512": 512, "1024x1024": 1024}
LARGEST_PICTURE = 4 * 1024 * 1024


class OpenAiVariations(OpenAiGenerations):
    """The endpoint for variations."""

    endpoint = "images/variations"

    def judge(self, arrival: Arrival) -> Order:
        """Check every field and the picture; raises Refusal."""
        if arrival.json is not None or arrival.problem is not None:
            raise complaint(arrival.problem or "Expected a multipart form.", param="body", code="invalid_body")
        fields = Fields(arrival.values, complaint, from_form=True)
        fields.refuse_unknown(FIELDS)
        model = fields.choice("model", (MODEL,), default=MODEL)
        size = fields.choice("size", tuple(SIDES), default="1024x1024")
        picture = _picture(arrival)
        delivery = fields.choice("response_format", ("url", "b64_json"), default="url")
        return Order(
            model=model,
            prompt=f"a variation of {picture.sha256}",
            n=fields.integer("n", default=1, low=1, high=10),
            size=size,
            width=SIDES[size],
            height=SIDES[size],
            delivery="url" if delivery == "url" else "b64",
            references=(picture,),
        )


def _picture(arrival: Arrival) -> Reference:
    if [part.name for part in arrival.files] != ["image"]:
        raise complaint("Give exactly one file, named 'image'.", param="image", code="invalid_value")
    ((picture,), _) = read_form_pictures(arrival.files)
    if not arrival.files[0].content.startswith(b"\x89PNG"):
        raise complaint("The image must be a PNG.", param="image", code="invalid_image_format")
    if picture.width != picture.height or (picture.bytes or 0) >= LARGEST_PICTURE:
        raise complaint("The image must be square and less than 4 MB.", param="image", code="invalid_image_file")
    return picture

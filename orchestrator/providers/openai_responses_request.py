"""What a request to OpenAI's Responses API looks like (providers.md 5.7): a text model that is made to call the image tool."""

from collections.abc import Mapping

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import Input, Order
from orchestrator.providers.catalog import Api
from orchestrator.providers.fields import optional_fields, size_field
from orchestrator.providers.openai_files import address

TOOL_OPTIONS = (
    "quality", "output_format", "output_compression", "moderation", "background", "input_fidelity", "partial_images", "action",
    "complexity",
)  # fmt: skip
"""Params that go into the tool; `mainline_model` and `detail` have places of their own, all others stand in the request."""
MODES: Mapping[str, Mapping[str, Json]] = {
    "background": {"background": True},
    "synchronous": {},
    # A stream of a background response can break: its first event has told the id by which the response is asked for.
    "stream": {"background": True, "stream": True},
}
"""Values of the account option `mode`, the first being the default, and the fields that ask for them."""


def mode_of(options: Mapping[str, Json]) -> str:
    """Return the mode of an account with these options."""
    return str(options.get("mode", next(iter(MODES))))


def body_of(order: Order, api: Api, mainline_model: str) -> dict[str, Json]:
    """Return the fields of the paid request. Both models always stand in it: the API's own defaults may be dead."""
    given = {name: value for name, value in optional_fields(order, api).items() if name not in order.spec.extra}
    tool = {name: given.pop(name) for name in TOOL_OPTIONS if name in given}
    given.pop("mainline_model", None)
    content = _input(order, given.pop("detail", None))
    return {
        "model": mainline_model,
        "input": content,
        "tools": [_tool(order, tool)],
        "tool_choice": {"type": "image_generation"},
        **_previous(order),
        **MODES[mode_of(order.account.options)],
        **given,
        **order.spec.extra,
    }


def _tool(order: Order, options: Mapping[str, Json]) -> dict[str, Json]:
    mask = {"input_image_mask": address(order.mask)} if order.mask else {}
    return {"type": "image_generation", "model": order.spec.model, **size_field(order), **options, **mask}


def _input(order: Order, detail: Json) -> Json:
    """Return the prompt alone where nothing else is shown, else one message with the images in their order."""
    call = order.previous.image_call_id if order.previous else None
    if not order.references and call is None:
        return order.spec.prompt
    text = {"type": "input_text", "text": order.spec.prompt}
    images = [_image(reference, detail) for reference in order.references]
    message = {"role": "user", "content": [text, *images]}
    return [message] if call is None else [message, {"type": "image_generation_call", "id": call}]


def _image(reference: Input, detail: Json) -> dict[str, Json]:
    return {"type": "input_image", **address(reference), **({} if detail is None else {"detail": detail})}


def _previous(order: Order) -> dict[str, Json]:
    response = order.previous.response_id if order.previous else None
    return {} if response is None else {"previous_response_id": response}

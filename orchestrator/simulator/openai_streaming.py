"""OpenAI's pictures in events (providers.md 5.3): rough ones on the way when asked for, then a completed one each."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.simulator.drawing import render
from orchestrator.simulator.event_stream import EventStream
from orchestrator.simulator.openai_fields import family_of
from orchestrator.simulator.openai_usage import usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.drawing import Picture
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task

__all__ = ["encoded", "rough", "stream_pictures"]

KINDS = {"images/generations": "image_generation", "images/edits": "image_edit"}
"""Endpoint -> what its events' names begin with."""


async def stream_pictures(
    request: web.Request, task: Task, *, endpoint: str, options: SimulatorOptions, clock: Clock, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Draw and send the pictures of an order one after the other."""
    stream = await EventStream.begin(request, headers)
    order, kind = task.order, KINDS[endpoint]
    echo = {name: getattr(order, name) for name in ("size", "quality", "background")} | {"output_format": order.format}
    each = usage(replace(order, n=1), family_of(order.model))
    step = max(0.0, task.completed_at - clock.now()) / (order.n * (order.partial_images + 1))
    for picture in task.pictures(options.image_side):
        for number in range(order.partial_images):
            await clock.sleep(step)
            data = {"b64_json": await encoded(rough(picture, number)), "partial_image_index": number}
            await stream.send(f"{kind}.partial_image", _at(clock) | echo | data)
        if options.cut_stream == "before":
            stream.break_off()
        await clock.sleep(step)
        await stream.send(f"{kind}.completed", _at(clock) | echo | {"b64_json": await encoded(picture), "usage": each})
        if options.cut_stream == "after":
            stream.break_off()
    return await stream.end()


def rough(picture: Picture, number: int) -> Picture:
    """What a picture looks like on its way."""
    return replace(picture, prompt=f"{picture.prompt} (unfinished, {number})")


async def encoded(picture: Picture) -> str:
    """A picture as base64."""
    return base64.b64encode(await render(picture)).decode()


def _at(clock: Clock) -> dict[str, Any]:
    return {"created_at": int(clock.now())}

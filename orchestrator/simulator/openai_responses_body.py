"""A response as OpenAI describes it at any moment (providers.md 5.7): waiting, at work, or at its end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from orchestrator.simulator.openai_fields import family_of
from orchestrator.simulator.openai_usage import usage

if TYPE_CHECKING:
    from orchestrator.simulator.orders import Task

__all__ = ["call_id", "describe", "image_call", "response_id", "task_id_of"]

_TASK, _RESPONSE, _CALL = "task_img_", "resp_", "ig_"
_WORDS_OF_REFUSAL = "I'm sorry, but I can't help with that image."
_MAINLINE_OUTPUT = 60
"""Tokens that the text model writes to call the tool."""
_TOKENS_PER_PICTURE = 800


def response_id(task: Task) -> str:
    """The name a response goes by."""
    return _RESPONSE + task.id.removeprefix(_TASK)


def call_id(task: Task) -> str:
    """The name of its image call."""
    return _CALL + task.id.removeprefix(_TASK)


def task_id_of(name: str) -> str:
    """The task behind the id of a response, or of an image call."""
    return _TASK + name.removeprefix(_RESPONSE).removeprefix(_CALL)


def image_call(task: Task, status: str, result: str | None) -> dict[str, Any]:
    """The item that is, or will be, the picture."""
    order = task.order
    item = {"id": call_id(task), "type": "image_generation_call", "status": status, "result": result}
    if result is None:
        return item
    echo = {"size": order.size, "quality": order.quality, "background": order.background, "output_format": order.format}
    return item | echo | {"action": "generate", "revised_prompt": f"A detailed picture: {order.prompt}"}


def describe(task: Task, status: str, *, result: str | None, ending: str | None, now: float) -> dict[str, Any]:
    """The response object; `ending` is why a finished one holds no picture: refused, text or filtered."""
    asked = task.order.response or {}
    is_over = status not in ("queued", "in_progress")
    return {
        "id": response_id(task),
        "object": "response",
        "created_at": int(task.accepted_at),
        "completed_at": int(now) if status == "completed" else None,
        "status": status,
        "background": asked["background"],
        "error": {"code": "server_error", "message": "The image could not be generated."} if status == "failed" else None,
        "incomplete_details": {"reason": "content_filter"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": asked["metadata"],
        "model": asked["model"],
        "output": _output(task, status, result, ending),
        "parallel_tool_calls": True,
        "previous_response_id": asked["previous_response_id"],
        "store": asked["store"],
        "temperature": 1.0,
        "tool_choice": asked["tool_choice"],
        "tools": [asked["tool"]],
        "top_p": 1.0,
        **(_usage(task, drew=result is not None) if is_over else {"usage": None}),
    }


def _output(task: Task, status: str, result: str | None, ending: str | None) -> list[dict[str, Any]]:
    if result is not None:
        return [image_call(task, "completed", result)]
    if status == "in_progress":
        return [image_call(task, "generating", None)]
    if status != "completed":
        return []
    part = {"type": "refusal", "refusal": _WORDS_OF_REFUSAL} if ending == "refused" else _text(_WORDS_OF_REFUSAL)
    message = {"id": f"msg_{task.id}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return [message]


def _text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def _usage(task: Task, *, drew: bool) -> dict[str, Any]:
    order = task.order
    read = math.ceil(len(order.prompt) / 4) + _TOKENS_PER_PICTURE * len(order.references)
    talk = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": _MAINLINE_OUTPUT,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + _MAINLINE_OUTPUT,
    }
    image = {"tool_usage": {"image_gen": usage(order, family_of(order.model)), "web_search": {"num_requests": 0}}} if drew else {}
    return {"usage": talk, **image}

"""A gateway that makes images through chat completions (providers.md 4), as documented or as real ones answer."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.chat_fields import read_chat
from orchestrator.simulator.drawing import render
from orchestrator.simulator.openai_images import OpenAiGenerations

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.orders import Order, Task

__all__ = ["Chat"]

PROGRESS = "> 排队中.\n> 生成中........ 47%\n> Generating 98%\n> 生成完成 ✅\n\n"
REFUSAL = "I'm sorry, but I can't create that image: it would violate our content policy."


class Chat(OpenAiGenerations):
    """The endpoint for chats."""

    provider = "chat"
    endpoint = "chat/completions"

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where it is reached under a prefix."""
        return [web.post(f"{prefix}/v1/{self.endpoint}", self._submit)]

    def judge(self, arrival: Arrival) -> Order:
        """Check every field; raises Refusal."""
        return read_chat(arrival)

    def failed_at_once(self) -> None:
        """Failures are told in the answer."""

    async def accept(self, request: web.Request, task: Task) -> web.Response:
        """Wait for the pictures and tell of them in the chosen form, whole or in events."""
        await self._clock.sleep(max(0.0, task.completed_at - self._clock.now()))
        created = int(self._clock.now())
        if task.fails:
            return self._told(task, created, {"content": REFUSAL})
        urls = self._results.urls(request, task)
        if self._options.chat_form == "data":
            items = [{"url": url, "revised_prompt": f"A detailed picture: {task.order.prompt}"} for url in urls]
            return json_answer({"created": created, "data": items}, headers=self._identity())
        return self._told(task, created, await self._message(task, urls))

    async def _message(self, task: Task, urls: list[str]) -> dict[str, Any]:
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        match self._options.chat_form:
            case "fields":
                return {"content": "Here you are.", "images": parts}
            case "parts":
                return {"content": [{"type": "text", "text": "Here you are."}, *parts]}
            case "bare":
                return {"content": "\n".join(urls)}
            case "inline":
                return {"content": await self._inline(task)}
        return {"content": PROGRESS + "\n".join(f"![image]({url})\n\n[点击下载]({url}?download=1)" for url in urls)}

    async def _inline(self, task: Task) -> str:
        contents = [await render(picture) for picture in task.pictures(self._options.image_side)]
        urls = [f"data:image/{task.order.format};base64,{base64.b64encode(content).decode()}" for content in contents]
        return PROGRESS + "\n".join(f"![image]({url})" for url in urls)

    def _told(self, task: Task, created: int, message: dict[str, Any]) -> web.Response:
        head = {"id": f"chatcmpl-{task.id}", "created": created, "model": task.order.model}
        if self._options.chat_streams == "never":
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
            body = head | {"object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 777}}
            return json_answer(body, headers=self._identity())
        deltas = [{"role": "assistant"}, *_pieces(message), {}]
        events = [
            head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            for delta in deltas
        ]
        lines = [": keep-alive", *(f"data: {json.dumps(event)}" for event in events), "data: [DONE]"]
        declared = "text/event-stream" if self._options.chat_streams == "declared" else "application/json"
        text = "".join(f"{line}\n\n" for line in lines)
        return web.Response(text=text, content_type=declared, headers=self._identity())


def _pieces(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The message as deltas: its text in pieces of a few kilobytes, everything else at once."""
    content = message["content"]
    if not isinstance(content, str):
        return [message]
    size = max(1, min(20_000, len(content) // 3 + 1))
    texts = [{"content": content[start : start + size]} for start in range(0, len(content), size)]
    rest = {name: value for name, value in message.items() if name != "content"}
    return [*texts, *([rest] if rest else [])]

"""What chat endpoints answer when an image was ordered (providers.md 4): the images shape their documents promise, or a chat.

In a chat the images hide in message fields, content parts or text. The first place that has any is believed: later ones
repeat them as download links.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urldefrag

from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import Json
from orchestrator.providers.chat_stream import assembled, choices_of, message_of
from orchestrator.providers.error_body import error_of, failure, request_id
from orchestrator.providers.event_stream import is_stream
from orchestrator.providers.openai_errors import embedded_failure
from orchestrator.providers.openai_shape import images_in
from orchestrator.providers.task_answers import read_accepted
from orchestrator.transport.messages import Answer, Unreadable, shown

HTML = "html image"
_ADDRESS = r"(?:https?://|data:image/)"
_ENDING = r"\.(?:png|jpe?g|webp|gif|avif)"
TEXT_PLACES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "markdown image": re.compile(rf"!\[[^\]]*\]\(\s*<?({_ADDRESS}(?:[^\s()>]|\([^\s()]*\))+)", re.IGNORECASE),
        HTML: re.compile(rf"<img\b[^>]*?\bsrc\s*=\s*[\"']?({_ADDRESS}[^\s\"'>]+)", re.IGNORECASE),
        "bare data URL": re.compile(r"(data:image/[\w.+-]+;base64,[A-Za-z0-9+/=_:-]+)", re.IGNORECASE),
        "bare image URL": re.compile(rf"(https?://[^\s)\]>\"'<]+?{_ENDING}(?:\?[^\s)\]>\"'<]*)?)(?![\w/])", re.IGNORECASE),
        "one URL and nothing else": re.compile(r"\A\s*<?(https?://[^\s<>]+)>?\s*\Z", re.IGNORECASE),
    }
)
"""Where an image may stand in a text -> how it is found, the most exact first."""

_PUNCTUATION = ".,;!。，；！"  # noqa: RUF001 - as it stands after an address in a Chinese sentence
_DOWNLOAD = re.compile(r"[?&](?:download|dl)=[^&]*")
"""What makes a second link to the same file look like another one."""
_REFUSED = re.compile(
    r"polic(?:y|ies)|violat|moderation|not allowed|prohibit|inappropriate|nsfw|unsafe|"
    r"\b(?:can(?:no|')t|unable to|won't|not able to)\b|sorry|"
    r"违反|违规|敏感|审核|无法|不能|抱歉|对不起|政策|не могу|наруша|политик",
    re.IGNORECASE,
)
"""Words by which a model says no; a text without them is only no image."""
_FILTERED = "content_filter"


def read_chat(answer: Answer) -> Report:
    """Return the images of a 2xx answer, the reason why there are none, or a task; raise `Unreadable` for another shape."""
    body = assembled(answer) if is_stream(answer) else answer.object()
    choices = choices_of(body)
    images = _distinct(images_in(body.get("data")) or _images(choices))
    created, usage = body.get("created"), body.get("usage")
    if images:
        return Report(
            status=Status.SUCCEEDED,
            outputs=images,
            completed_at=float(created) if type(created) is int and created > 0 else None,
            usage=usage if isinstance(usage, Mapping) else {},
            request_id=request_id(answer),
        )
    return read_accepted(answer, body) or Report(
        status=Status.FAILED,
        usage=usage if isinstance(usage, Mapping) else {},
        failure=_reason(answer, body, choices),
        request_id=request_id(answer),
    )


def _images(choices: list[Mapping[str, Json]]) -> tuple[Output, ...]:
    for place in (_in_fields, _in_parts, _in_text):
        found = tuple(output for choice in choices for output in place(message_of(choice)))
        if found:
            return found
    return ()


def _in_fields(message: Mapping[str, Json]) -> Iterator[Output]:
    images = message.get("images")
    for item in images if isinstance(images, list) else [images]:
        yield from _of_item(item)


def _in_parts(message: Mapping[str, Json]) -> Iterator[Output]:
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        if isinstance(part, Mapping) and "image" in str(part.get("type")):
            yield from _of_item(part)


def _of_item(item: Json) -> Iterator[Output]:
    """Yield the image of `"URL"`, `{"url"}`, `{"b64_json"}`, `{"image_url": "URL"}` or `{"image_url": {"url"}}`."""
    if isinstance(item, str):
        item = {"url": item}
    if isinstance(item, Mapping):
        inner = next((item[name] for name in ("image_url", "image") if item.get(name)), None)
        yield from images_in([{"url": inner} if isinstance(inner, str) else inner or item])


def _in_text(message: Mapping[str, Json]) -> Iterator[Output]:
    text = _text(message)
    for place, pattern in TEXT_PLACES.items():
        found = [address.rstrip(_PUNCTUATION) for address in pattern.findall(text)]
        if found:
            yield from images_in([{"url": html.unescape(address) if place == HTML else address} for address in found])
            return


def _text(message: Mapping[str, Json]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _distinct(images: tuple[Output, ...]) -> tuple[Output, ...]:
    found: dict[str | None, Output] = {}
    for image in images:
        same = _DOWNLOAD.sub("", urldefrag(image.url).url) if image.url else image.base64
        found.setdefault(same, image)
    return tuple(found.values())


def _reason(answer: Answer, body: Mapping[str, Json], choices: list[Mapping[str, Json]]) -> Failure:
    """Return why there is no image, in the model's own words where it has any; raise `Unreadable` where this is no chat."""
    if body.get("error"):
        return embedded_failure(answer, body)
    if not choices and not isinstance(body.get("data"), list):
        raise Unreadable(f"the answer is neither a list of images nor a chat: {shown(answer.body)}")
    messages = [message_of(choice) for choice in choices]
    refusal = next((message["refusal"] for message in messages if isinstance(message.get("refusal"), str)), "")
    filtered = any(choice.get("finish_reason") == _FILTERED for choice in choices)
    said = error_of(refusal or "\n".join(_text(message) for message in messages))
    refused = refusal or filtered or _REFUSED.search(said.message)
    said = said if said.message else replace(said, message="the answer holds no image and no reason")
    return failure(answer, said, ErrorCode.REFUSED if refused else ErrorCode.NO_IMAGE)

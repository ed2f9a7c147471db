"""Requests as they are built meet a server that checks them by its own reading of the documents."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.reports import Status
from orchestrator.providers.base import FileInput, Provider, UrlInput
from orchestrator.simulator import Simulator, SimulatorOptions
from orchestrator.transport.messages import Answer, Request

from .making import ATTEMPT, account, edits, images, order, toapis


class Wire:
    """A simulator, and a client that sends a request as it is."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._simulator = simulator
        self._session = session

    def at(self, provider: str) -> dict[str, Any]:
        return {"base_url": self._simulator.url_for(provider)}

    async def send(self, request: Request) -> Answer:
        form: aiohttp.FormData | None = None
        if request.form is not None:
            form = aiohttp.FormData(quote_fields=False)
            for part in request.form:
                content: Any = part.content if part.filename else part.content.decode()
                form.add_field(part.name, content, filename=part.filename, content_type=part.content_type)
        headers = {"Authorization": "Bearer some-key"} | ({"Content-Type": "application/json"} if request.json else {})
        async with self._session.request(request.method, request.url, data=form or request.json, headers=headers) as answer:
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(status=answer.status, headers=lowered, body=await answer.read())


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with Simulator(SimulatorOptions(image_side=32)) as simulator, aiohttp.ClientSession() as session:
        yield Wire(simulator, session)


def picture(side: int = 32, mode: str = "RGB") -> FileInput:
    buffer = BytesIO()
    Image.new(mode, (side, side)).save(buffer, "PNG")
    return FileInput(filename="mug.png", content_type="image/png", content=buffer.getvalue())


async def test_a_task_is_ordered_with_an_uploaded_reference_found_by_our_id_and_completed(wire: Wire) -> None:
    adapter, at = toapis(), wire.at("toapis")
    url = adapter.read_upload(await wire.send(adapter.upload_request(picture(), account("toapis", **at))))
    request = adapter.submission(order("toapis", job={"size": "3:2", "n": 2}, at=at, references=(UrlInput(url=url),)))
    accepted = adapter.read_submission(await wire.send(request))
    found = adapter.read_lookup(await wire.send(adapter.lookup_request(ATTEMPT, account("toapis", **at))), ATTEMPT)
    assert found is not None
    assert accepted.remote_id is not None
    assert found.remote_id == accepted.remote_id
    done = adapter.read_status(await wire.send(adapter.status_request(accepted.remote_id, account("toapis", **at))))
    assert (done.status, len(done.outputs)) == (Status.SUCCEEDED, 2)
    assert done.expires_at == (done.completed_at or 0) + 86_400


async def test_a_lookup_of_a_task_that_never_was_is_not_found(wire: Wire) -> None:
    answer = await wire.send(toapis().lookup_request("f" * 32, account("toapis", **wire.at("toapis"))))
    assert toapis().read_failure(answer).code is ErrorCode.NOT_FOUND


async def test_a_generation_with_every_field_is_accepted(wire: Wire) -> None:
    params = {"quality": "high", "background": "opaque", "output_format": "jpeg", "output_compression": 80, "moderation": "low"}
    job = {"size": "1536x1024", "n": 2, "params": params}
    report = images().read_submission(
        await wire.send(images().submission(order("openai-images", job=job, at=wire.at("openai-images"))))
    )
    assert (report.status, len(report.outputs)) == (Status.SUCCEEDED, 2)
    assert report.usage["output_tokens"] > 0


async def test_edits_are_accepted_as_a_form_and_as_json(wire: Wire) -> None:
    at = wire.at("openai-edits")
    adapter: Provider = edits()
    whole = order("openai-edits", job={"n": 2}, at=at, references=(picture(), picture()), mask=picture(mode="RGBA"))
    report = adapter.read_submission(await wire.send(adapter.submission(whole)))
    assert (report.status, len(report.outputs)) == (Status.SUCCEEDED, 2)
    mixed = order("openai-edits", at=at, references=(picture(), UrlInput(url="https://pictures.example/a.png")))
    answer = await wire.send(adapter.submission(mixed))
    assert answer.status == 200, answer.body
    assert adapter.read_submission(answer).status is Status.SUCCEEDED


async def test_a_refusal_is_read_in_our_words(wire: Wire) -> None:
    answer = await wire.send(images().submission(order("openai-images", job={"n": 99}, at=wire.at("openai-images"))))
    failure = images().read_failure(answer)
    assert (failure.code, failure.http_status) == (ErrorCode.INVALID_REQUEST, 400)

"""TTAPI's synchronous answers: OpenAI's shape, or the same inside TTAPI's envelope, where images stand at `data.data[]`.

Which of the two comes is not certain: TTAPI's own samples mix up the two paths (providers.md 2.1), so both are read everywhere.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.jobs.reports import Report, Status
from orchestrator.providers.error_body import request_id
from orchestrator.providers.event_stream import is_stream
from orchestrator.providers.openai_shape import read_images
from orchestrator.providers.task_answers import read_images_or_task
from orchestrator.providers.ttapi_errors import embedded_failure, is_failed
from orchestrator.transport.messages import Answer


def read_pictures(answer: Answer) -> Report:
    """Return the images of a 2xx answer, why there are none, or a task instead; raise `Unreadable` for another shape."""
    if is_stream(answer):
        return read_images(answer)
    body = answer.object()
    inner = body.get("data")
    if is_failed(body) and not inner:
        return Report(status=Status.FAILED, failure=embedded_failure(answer, body), request_id=request_id(answer))
    if isinstance(inner, Mapping) and "data" in inner:
        return read_images(replace(answer, body=json.dumps(inner).encode()))
    return read_images_or_task(answer)

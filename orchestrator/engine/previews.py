"""Unfinished images of a streamed answer, saved beside the results while the answer is still coming.

They are extras for impatient eyes: no manifest lists them, and one that cannot be saved changes nothing about its job.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from orchestrator.engine.tools import Tools
from orchestrator.providers.base import Preview, StreamProvider
from orchestrator.results import AnswerSink, NotAnImage, UnsafeImage, WorkerUnavailable, safe_name
from orchestrator.store.records import Job


class Previews:
    """A sink around another: what passes is looked through for unfinished images. Left, it has saved all it saw."""

    def __init__(self, tools: Tools, job: Job, provider: StreamProvider, sink: AnswerSink) -> None:
        self._tools, self._job, self._provider, self._sink = tools, job, provider, sink
        self._streams = False
        self._saving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.gather(*self._saving)

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer."""
        self._streams = "event-stream" in headers.get("content-type", "").lower()
        self._sink.open(status, headers)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._sink.write(chunk)
        if self._streams and b"\n" in chunk:
            for preview in self._provider.previews(self._sink.so_far())[len(self._saving) :]:
                self._saving.append(asyncio.create_task(self._save(preview)))

    async def finish(self) -> bytes:
        """Make the answer durable; return its outline."""
        return await self._sink.finish()

    async def _save(self, preview: Preview) -> None:
        job, results = self._job, self._tools.results
        try:
            saved = await results.save_preview(
                results.folder(job.batch),
                preview.base64,
                attempt_id=str(job.attempt_id),
                stem=safe_name(job.key),
                index=preview.index,
                number=preview.number,
            )
        except (NotAnImage, UnsafeImage, WorkerUnavailable, OSError) as error:
            self._tools.news.tell("preview_unsaved", job, index=preview.index, number=preview.number, reason=str(error))
        else:
            self._tools.news.tell("preview_saved", job, index=preview.index, number=preview.number, file=saved.file)

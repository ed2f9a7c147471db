"""References brought to a provider's own upload endpoint: once for an account and content, however many jobs use it.

The store remembers what was uploaded, so that a killed run uploads nothing again; jobs that need the same image at the same
time wait for one upload.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

import backoff

from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import Action, ErrorCode, Failure, Signal, row_of
from orchestrator.jobs.retry import STEPS
from orchestrator.providers.base import FileInput, UploadProvider
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Unanswered, Unreadable, Unsent

_TRIES = 4
_AT_ONCE = 8
"""Uploads of an account under way at a time: each holds a whole image in memory."""


class UploadFailed(Exception):
    """A reference could not be had, or not be brought to the provider; nothing was charged."""

    def __init__(self, failure: Failure, *, again: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.again = failure, again


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """An image that a provider has."""

    url: str
    """Or whatever name its upload endpoint gave."""
    remembered: bool
    """Whether it was uploaded for another job, perhaps long ago, so that the provider may have forgotten it."""


class Uploads:
    """The uploads of accounts."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def of(self, job: Job, content_id: str, read: Callable[[], Awaitable[FileInput]], *, since: float) -> Uploaded:
        """Return where a job's account has an image, and upload it unless it did so after `since` (Unix seconds).

        `content_id` names the content, `read` gives it. Raises `UploadFailed`, and what `read` raises.
        """
        lock = self._under_way.setdefault((job.account, content_id), asyncio.Lock())
        async with lock:
            # The provider may have forgotten what is older than the account says.
            since = max(since, self._tools.clock.now() - self._tools.desk(job).settings.upload_lifetime)
            known = await self._tools.store.uploaded(job.account, content_id, since=since)
            if known is not None:
                return Uploaded(url=known, remembered=True)
            async with self._room:
                file = await read()
                url = await self._send(job, file)
            await self._tools.store.remember_upload(job.account, content_id, url)
            self._tools.news.tell("reference_uploaded", job, file=file.filename)
            return Uploaded(url=url, remembered=False)

    async def _send(self, job: Job, file: FileInput) -> str:
        provider, settings = self._tools.provider(job), self._tools.desk(job).settings
        if not isinstance(provider, UploadProvider):
            raise TypeError(f"{provider.id} declares uploads and has no upload endpoint")
        request = provider.upload_request(file, settings)

        @backoff.on_exception(
            backoff.expo, UploadFailed, max_tries=_TRIES, giveup=lambda error: not error.again, jitter=_stretched
        )
        async def send() -> str:
            try:
                answer = await self._tools.transport.ask(request, settings, within=settings.timeouts.upload)
                return provider.read_upload(_good(answer, provider.read_failure))
            except (Unsent, Unanswered, Unreadable) as error:
                failure = Failure(code=ErrorCode.UPLOAD_FAILED, message=f"uploading {file.filename}: {error}")
                raise UploadFailed(failure, again=True) from error

        return await send()


def may_pass(signal: Signal | int) -> bool:
    """Say whether a failed free exchange may go well the next time."""
    return row_of(signal).poll in (Action.AGAIN, Action.THROTTLE)


def _stretched(wait: float) -> float:
    return min(wait, STEPS[-1]) * 1.1


def _good(answer: Answer, read_failure: Callable[[Answer], Failure]) -> Answer:
    if answer.status in range(200, 300):
        return answer
    raise UploadFailed(read_failure(answer), again=may_pass(answer.status))

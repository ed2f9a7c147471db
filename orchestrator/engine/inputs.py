"""References and masks on their way to a provider: the bytes that were checked, and no others, uploaded once per account.

Everything here is free and happens before an attempt is written down, so that nothing of it can put money in doubt.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import backoff

from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import Action, ErrorCode, Failure, row_of
from orchestrator.jobs.retry import STEPS
from orchestrator.jobs.spec import LocalImage, Reference
from orchestrator.providers.base import FileInput, Input, Inputs, UploadProvider, UrlInput
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Unanswered, Unreadable, Unsent

_TRIES = 4


class InputChanged(Exception):
    """A local file is no longer what was checked when the batch was loaded: the job must not be paid for."""


class UploadFailed(Exception):
    """A reference could not be brought to the provider; nothing was charged."""

    def __init__(self, failure: Failure, *, again: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.again = failure, again


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What an adapter gets."""

    references: tuple[Input, ...]
    mask: Input | None


class InputRoom:
    """Prepares the inputs of jobs."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._uploading: dict[tuple[str, str], asyncio.Lock] = {}

    async def prepare(self, job: Job) -> Prepared:
        """Return a job's inputs in the order of the file; raise `InputChanged` or `UploadFailed`."""
        references = [await self._input(job, reference) for reference in job.spec.references]
        mask = await self._input(job, job.spec.mask) if job.spec.mask else None
        return Prepared(references=tuple(references), mask=mask)

    async def _input(self, job: Job, reference: Reference) -> Input:
        if not isinstance(reference, LocalImage):
            return UrlInput(url=reference.url)
        if self._tools.provider(job).capabilities.inputs is not Inputs.UPLOAD:
            return await asyncio.to_thread(_read, reference)
        lock = self._uploading.setdefault((job.account, reference.sha256), asyncio.Lock())
        async with lock:  # a second job with the same picture waits for the first one's upload
            known = await self._tools.store.uploaded(job.account, reference.sha256)
            return UrlInput(url=known or await self._upload(job, reference))

    async def _upload(self, job: Job, reference: LocalImage) -> str:
        provider = self._tools.provider(job)
        if not isinstance(provider, UploadProvider):
            raise TypeError(f"{provider.id} declares uploads and has no upload endpoint")
        file = await asyncio.to_thread(_read, reference)
        settings = self._tools.desk(job).settings
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

        url = await send()
        await self._tools.store.remember_upload(job.account, reference.sha256, url)
        self._tools.news.tell("reference_uploaded", job, file=reference.path.name)
        return url


def _final(error: Exception) -> bool:
    return isinstance(error, UploadFailed) and not error.again


def _stretched(wait: float) -> float:
    return min(wait, STEPS[-1]) * 1.1


def _good(answer: Answer, read_failure: Callable[[Answer], Failure]) -> Answer:
    if answer.status in range(200, 300):
        return answer
    failure = read_failure(answer)
    again = row_of(answer.status).poll in (Action.AGAIN, Action.THROTTLE)
    raise UploadFailed(failure, again=again)


def _read(reference: LocalImage) -> FileInput:
    try:
        content = reference.path.read_bytes()
    except OSError as error:
        raise InputChanged(f"{reference.path}: {error.strerror}; it was there when the batch was loaded") from error
    if hashlib.sha256(content).hexdigest() != reference.sha256:
        raise InputChanged(f"{reference.path} has changed since the batch was loaded; run the batch file again")
    return FileInput(filename=reference.path.name, content_type=f"image/{reference.format}", content=content)

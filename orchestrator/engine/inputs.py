"""References and masks on their way to a provider: the bytes that were checked, and no others, uploaded once per account.

Everything here is free and happens before an attempt is written down, so that nothing of it can put money in doubt.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import backoff

from orchestrator.engine.own_images import identity, read
from orchestrator.engine.parents import resolved
from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import Action, ErrorCode, Failure, row_of
from orchestrator.jobs.retry import STEPS
from orchestrator.jobs.spec import JobSpec, LocalImage, ParentImage, Reference, RemoteImage
from orchestrator.providers.base import FileInput, Input, Inputs, LimitsProvider, Previous, UploadProvider, UrlInput
from orchestrator.results import NotAnImage, UnsafeImage, extension_of
from orchestrator.store.records import Job, UsedParent
from orchestrator.transport.files import Forbidden, Unfetched
from orchestrator.transport.messages import Answer, Unanswered, Unreadable, Unsent

_TRIES = 4


class UploadFailed(Exception):
    """A reference could not be brought to the provider; nothing was charged."""

    def __init__(self, failure: Failure, *, again: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.again = failure, again


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What an adapter gets."""

    spec: JobSpec
    """One request of the job, with files in the place of other jobs' images."""
    references: tuple[Input, ...]
    mask: Input | None
    previous: Previous | None
    used: tuple[UsedParent, ...]
    """What of other jobs goes into it."""


class InputRoom:
    """Prepares the inputs of jobs."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._uploading: dict[tuple[str, str], asyncio.Lock] = {}

    async def prepare(self, job: Job) -> Prepared:
        """Return a job's inputs in the order of the file; raise `InputChanged`, `Unfit` or `UploadFailed`."""
        job_now = await resolved(self._tools, job)
        spec = job_now.spec.request
        references = [await self._input(job, reference) for reference in spec.references]
        mask = await self._input(job, spec.mask) if spec.mask else None
        return Prepared(spec=spec, references=tuple(references), mask=mask, previous=job_now.previous, used=job_now.used)

    async def _input(self, job: Job, reference: Reference) -> Input:
        if isinstance(reference, RemoteImage):
            return await self._remote(job, reference)
        if isinstance(reference, ParentImage):
            raise TypeError(f"the image that {reference.job} makes was not looked up")
        options = self._tools.desk(job).settings.options
        if self._tools.provider(job).capabilities.inputs_for(options) is not Inputs.UPLOAD:
            return await asyncio.to_thread(read, reference, self._tools.references)
        lock = self._uploading.setdefault((job.account, identity(reference)), asyncio.Lock())
        async with lock:  # a second job with the same picture waits for the first one's upload
            known = await self._known(job, reference)
            return UrlInput(url=known or await self._upload(job, reference))

    async def _known(self, job: Job, reference: LocalImage) -> str | None:
        """Return the URL of an earlier upload, unless the provider may have forgotten it by now."""
        since = self._tools.clock.now() - self._tools.desk(job).settings.upload_lifetime
        return await self._tools.store.uploaded(job.account, identity(reference), since=since)

    async def _remote(self, job: Job, reference: RemoteImage) -> Input:
        """Pass a URL on where the API takes URLs, else fetch what it shows, as carefully as a result."""
        provider = self._tools.provider(job)
        if not isinstance(provider, LimitsProvider) or provider.image_limits(job.spec, mask=reference is job.spec.mask).urls:
            return UrlInput(url=reference.url)
        pieces: list[bytes] = []
        try:
            await self._tools.files.fetch(reference.url, self._tools.desk(job).settings, pieces.append)
            content = b"".join(pieces)
            facts = await self._tools.results.look_at(content)
        except (Unfetched, Forbidden, NotAnImage, UnsafeImage) as error:
            failure = Failure(code=ErrorCode.UPLOAD_FAILED, message=f"the reference cannot be fetched: {error}")
            raise UploadFailed(failure, again=isinstance(error, Unfetched)) from error
        return FileInput(
            filename=f"reference.{extension_of(facts.format)}", content_type=f"image/{facts.format}", content=content
        )

    async def _upload(self, job: Job, reference: LocalImage) -> str:
        provider = self._tools.provider(job)
        if not isinstance(provider, UploadProvider):
            raise TypeError(f"{provider.id} declares uploads and has no upload endpoint")
        file = await asyncio.to_thread(read, reference, self._tools.references)
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
        await self._tools.store.remember_upload(job.account, identity(reference), url)
        self._tools.news.tell("reference_uploaded", job, file=reference.path.name)
        return url


def _stretched(wait: float) -> float:
    return min(wait, STEPS[-1]) * 1.1


def _good(answer: Answer, read_failure: Callable[[Answer], Failure]) -> Answer:
    if answer.status in range(200, 300):
        return answer
    failure = read_failure(answer)
    again = row_of(answer.status).poll in (Action.AGAIN, Action.THROTTLE)
    raise UploadFailed(failure, again=again)

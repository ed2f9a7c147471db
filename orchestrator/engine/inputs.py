"""References and masks on their way to a provider: the bytes that were checked, and no others, in the order of the file.

Everything here is free and happens before an attempt is written down, so that nothing of it can put money in doubt.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.engine.brake import NO_ROOM
from orchestrator.engine.own_images import identity, read
from orchestrator.engine.parents import Resolved, check, resolved
from orchestrator.engine.remote_images import Fetched, RemoteImages, Shown
from orchestrator.engine.together import together
from orchestrator.engine.tools import Tools
from orchestrator.engine.uploads import Uploaded, UploadFailed, Uploads
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.spec import JobSpec, ParentImage, Reference, RemoteImage
from orchestrator.providers.base import FileInput, Input, Inputs, Previous, UrlInput
from orchestrator.results import WorkerUnavailable
from orchestrator.store.records import Job, UsedParent

__all__ = ["InputRoom", "Prepared", "UploadFailed"]


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
    forgettable: frozenset[ErrorCode] = frozenset()
    """What the provider may have forgotten of it since it was given, and can be given again."""


class InputRoom:
    """Prepares the inputs of jobs."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._uploads, self._remote = Uploads(tools), RemoteImages(tools)

    async def prepare(self, job: Job) -> Prepared:
        """Return a job's inputs in the order of the file; raise `InputChanged`, `Unfit` or `UploadFailed`.

        What only the system stands in the way of, such as too many open files, may pass; a full disk is an `OSError`.
        """
        try:
            return await self._prepare(job)
        except (OSError, WorkerUnavailable) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            failure = Failure(code=ErrorCode.UPLOAD_FAILED, message=f"its references cannot be read at the moment: {error}")
            raise UploadFailed(failure, again=True) from error

    async def _prepare(self, job: Job) -> Prepared:
        forgotten = await self._tools.store.forgotten(job.id) if job.tries else {}
        job_now = await resolved(self._tools, job, converse=ErrorCode.CONVERSATION_FORGOTTEN not in forgotten)
        spec, fetched = await self._known(job, job_now)
        images = [*spec.references, *([spec.mask] if spec.mask is not None else [])]
        since = forgotten.get(ErrorCode.UPLOAD_FORGOTTEN, 0.0)
        inputs = await together(self._input(job, image, fetched, since) for image in images)
        return Prepared(
            spec=spec,
            references=tuple(_plain(one) for one in inputs[: len(spec.references)]),
            mask=_plain(inputs[-1]) if spec.mask is not None else None,
            previous=job_now.previous,
            used=job_now.used,
            forgettable=frozenset(_forgettable(inputs, job_now)) - forgotten.keys(),
        )

    async def _known(self, job: Job, job_now: Resolved) -> tuple[JobSpec, Mapping[str, Fetched]]:
        """Return one request of a job with every image known that has to be, and the fetched ones by identity."""
        spec = job_now.spec.request
        fetched = await self._remote.of(job, spec)
        if fetched:
            references = tuple(_seen(image, fetched, mask=False) for image in spec.references)
            mask = _seen(spec.mask, fetched, mask=True) if spec.mask is not None else None
            spec = replace(spec, references=references, mask=mask)
        if fetched or job_now.used:
            check(self._tools, job, spec, asked=job_now.spec)
        return spec, {identity(one.image): one for one in fetched.values()}

    async def _input(self, job: Job, image: Reference, fetched: Mapping[str, Fetched], since: float) -> Input | Uploaded:
        if isinstance(image, RemoteImage):
            return UrlInput(url=image.url)
        if isinstance(image, ParentImage):
            raise TypeError(f"the image that {image.job} makes was not looked up")

        async def content() -> FileInput:
            if identity(image) in fetched:
                return fetched[identity(image)].file
            return await asyncio.to_thread(read, image, self._tools.references)

        way = self._tools.provider(job).capabilities.inputs_for(self._tools.desk(job).settings.options)
        if way is Inputs.SERVED:
            await content()  # what is served later is what was checked, or the job is not paid for
            return UrlInput(url=self._tools.callback_paths.reference(job, image))
        if way is not Inputs.UPLOAD:
            return await content()
        return await self._uploads.of(job, identity(image), content, since=since)


def _seen(image: Reference, fetched: Mapping[Shown, Fetched], *, mask: bool) -> Reference:
    found = fetched.get(Shown(url=image.url, mask=mask)) if isinstance(image, RemoteImage) else None
    return found.image if found is not None else image


def _plain(one: Input | Uploaded) -> Input:
    return UrlInput(url=one.url) if isinstance(one, Uploaded) else one


def _forgettable(inputs: list[Input | Uploaded], job_now: Resolved) -> list[ErrorCode]:
    uploads = [ErrorCode.UPLOAD_FORGOTTEN] if any(isinstance(one, Uploaded) and one.remembered for one in inputs) else []
    return uploads + ([ErrorCode.CONVERSATION_FORGOTTEN] if job_now.previous is not None else [])

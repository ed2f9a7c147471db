"""What other jobs of the batch have made for this one: looked up when it is about to be sent, and checked again then."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.engine.tools import Tools
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec, LocalImage, ParentImage, Reference
from orchestrator.providers.base import Previous
from orchestrator.results import NotAnImage, UnsafeImage
from orchestrator.store.chains import Parent
from orchestrator.store.records import Job, UsedParent


class Unfit(Exception):
    """What a parent made cannot be used for this job: the job must not be paid for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A job whose images are all known."""

    spec: JobSpec
    """With files in the place of other jobs' images."""
    previous: Previous | None = None
    used: tuple[UsedParent, ...] = ()


async def resolved(tools: Tools, job: Job) -> Resolved:
    """Return a job with what its parents made; raise `Unfit` where that is not there or breaks a rule of the provider."""
    if not job.spec.parents:
        return Resolved(spec=job.spec)
    parents = {parent.slot: parent for parent in await tools.store.parents(job)}
    images = {id(one): parents[slot] for slot, one in enumerate(job.spec.parents)}
    references = [await _file(tools, reference, images) for reference in job.spec.references]
    mask = await _file(tools, job.spec.mask, images) if job.spec.mask is not None else None
    spec = replace(job.spec, references=tuple(references), mask=mask)
    _check(tools, job, spec)
    return Resolved(
        spec=spec,
        previous=_previous(tools, job, parents),
        used=tuple(UsedParent(slot=one.slot, attempt_id=one.attempt_id, sha256=one.sha256) for one in parents.values()),
    )


async def _file(tools: Tools, reference: Reference, images: Mapping[int, Parent]) -> Reference:
    if not isinstance(reference, ParentImage):
        return reference
    parent = images[id(reference)]
    if parent.file is None:
        raise Unfit(f"image {reference.image} of {reference.job} is not there")
    path = tools.out / parent.file
    try:
        facts = await tools.results.look(path)
    except (NotAnImage, UnsafeImage, OSError) as error:
        raise Unfit(f"{parent.file}, made by {reference.job}, cannot be read: {error}") from error
    if facts.sha256 != parent.sha256:
        raise Unfit(f"{parent.file}, made by {reference.job}, has changed since it was saved")
    return LocalImage(
        path=path,
        sha256=facts.sha256,
        size=facts.bytes,
        format=facts.format,
        width=facts.width,
        height=facts.height,
        alpha=facts.alpha,
    )


def _check(tools: Tools, job: Job, spec: JobSpec) -> None:
    for finding in tools.provider(job).validate(spec.request, tools.desk(job).settings):
        if finding.severity is Severity.ERROR:
            raise Unfit(finding.message)


def _previous(tools: Tools, job: Job, parents: Mapping[int, Parent]) -> Previous | None:
    if job.spec.continues is None or not tools.provider(job).capabilities.conversation:
        return None
    parent = parents[0]
    if parent.remote_id is None:
        raise Unfit(f"{parent.key} has no conversation to go on with")
    return Previous(response_id=parent.remote_id)

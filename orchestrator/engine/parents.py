"""What other jobs of the batch have made for this one: looked up when it is about to be sent, and checked again then.

A job that `continues` another goes on with the conversation that the API itself remembers. Where there is none, because the
other job was sent elsewhere or was not stored, its image comes first among the references: nothing is lost but the words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.engine.own_images import GONE
from orchestrator.engine.pictures import image_of, sent_as, target_of
from orchestrator.engine.tools import Tools
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.secrets import without_query
from orchestrator.jobs.spec import JobSpec, LocalImage, ParentImage, Reference, RemoteImage
from orchestrator.providers.base import ConversationProvider, Previous, Turn
from orchestrator.results import NotAnImage, Target, UnsafeImage
from orchestrator.store.chains import Parent
from orchestrator.store.records import Job, UsedParent


class Unfit(Exception):
    """What was to go into this job cannot be used for it: the job must not be paid for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A job whose images are all known."""

    spec: JobSpec
    """With files in the place of other jobs' images; it `continues` another one only where the API goes on with that itself."""
    previous: Previous | None = None
    used: tuple[UsedParent, ...] = ()


async def resolved(tools: Tools, job: Job, *, converse: bool = True) -> Resolved:
    """Return a job with what its parents made; raise `Unfit` where that is not there.

    Without `converse` no conversation is gone on with: the API has forgotten it.
    """
    if not job.spec.parents:
        return Resolved(spec=job.spec)
    parents = {parent.slot: parent for parent in await tools.store.parents(job)}
    images = {id(one): parents[slot] for slot, one in enumerate(job.spec.parents)}
    references = [await _file(tools, job, reference, images, mask=False) for reference in job.spec.references]
    mask = await _file(tools, job, job.spec.mask, images, mask=True) if job.spec.mask is not None else None
    previous = None
    if job.spec.continues is not None and tools.provider(job).capabilities.conversation:
        previous = _previous(tools, job, parents[0]) if converse else None
        if previous is None:
            references.insert(0, await _made(tools, job, parents[0], mask=False))
    continues = job.spec.continues if previous is not None else None
    return Resolved(
        spec=replace(job.spec, references=tuple(references), mask=mask, continues=continues),
        previous=previous,
        used=tuple(UsedParent(slot=one.slot, attempt_id=one.attempt_id, sha256=one.sha256) for one in parents.values()),
    )


def check(tools: Tools, job: Job, spec: JobSpec, *, asked: JobSpec) -> None:
    """Raise `Unfit` where images that are known only now break a rule of the provider; `asked` still has their URLs."""
    for finding in tools.provider(job).validate(spec.request, tools.desk(job).settings):
        if finding.severity is Severity.ERROR:
            raise Unfit(_url_of(finding.path, asked) + finding.message)


def _url_of(path: FieldPath, asked: JobSpec) -> str:
    """Return by which URL the user knows the image that is found fault with."""
    match path:
        case ("references", int(index)):
            image: Reference | None = asked.references[index]
        case ("mask",):
            image = asked.mask
        case _:
            image = None
    return f"{without_query(image.url)}: " if isinstance(image, RemoteImage) else ""


async def _file(tools: Tools, job: Job, reference: Reference, images: Mapping[int, Parent], *, mask: bool) -> Reference:
    return await _made(tools, job, images[id(reference)], mask=mask) if isinstance(reference, ParentImage) else reference


async def _made(tools: Tools, job: Job, parent: Parent, *, mask: bool) -> LocalImage:
    """Return a parent's image as it will be sent for a job, made to fit where its account allows it."""
    if parent.file is None:
        raise Unfit(f"image {parent.image} of {parent.key} is not there")
    path = tools.out / parent.file
    try:
        facts = await tools.results.look(path)
    except (NotAnImage, UnsafeImage, OSError) as error:
        if isinstance(error, OSError) and error.errno not in GONE:
            raise
        raise Unfit(f"{parent.file}, made by {parent.key}, cannot be read: {error}") from error
    if facts.sha256 != parent.sha256:
        raise Unfit(f"{parent.file}, made by {parent.key}, has changed since it was saved")
    image = image_of(path, facts)
    target = target_of(job.spec, tools.provider(job), tools.desk(job).settings, mask=mask)
    if target == Target():
        return image
    try:
        return sent_as(image, await tools.references.made(path, image.sha256, target))
    except (NotAnImage, UnsafeImage) as error:
        raise Unfit(f"{parent.file}, made by {parent.key}, cannot be made to fit: {error}") from error


def _previous(tools: Tools, job: Job, parent: Parent) -> Previous | None:
    """Return what of the API's own memory a job goes on with; what another account or API remembers is of no use to it."""
    provider = tools.provider(job)
    if not isinstance(provider, ConversationProvider) or (parent.account, parent.provider) != (job.account, job.spec.provider):
        return None
    turn = Turn(params=parent.params, response_id=parent.remote_id, image_call_id=parent.image_name)
    return provider.previous(turn, tools.desk(job).settings)

"""References that are URLs, for APIs that take bytes: fetched as carefully as a result, before anything is paid.

What they show is then checked, made upright, bared of private data and fitted as a file of the user's own would be.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from orchestrator.engine.pictures import LARGEST, BadPicture, image_of, sent_as, target_of
from orchestrator.engine.together import together
from orchestrator.engine.tools import Tools
from orchestrator.engine.uploads import UploadFailed, may_pass
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.secrets import without_query
from orchestrator.jobs.spec import JobSpec, LocalImage, RemoteImage
from orchestrator.providers.base import FileInput, Inputs, LimitsProvider
from orchestrator.results import NotAnImage, Target, UnsafeImage, extension_of
from orchestrator.store.records import Job
from orchestrator.transport.files import Forbidden, Unfetched

_MOST_BYTES = 64 * 2**20
"""How much of what was fetched is kept in memory for other jobs that show the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A URL and what it is shown as: the same picture is made to fit differently as a mask."""

    url: str
    mask: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What a URL shows."""

    image: LocalImage
    """Its facts; its path is only a name."""
    file: FileInput


_Name = tuple[str, str, Target]
"""Account, URL, and what the image is made to fit."""


class RemoteImages:
    """Fetches each image once for an account, as long as there is room to remember it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known: OrderedDict[_Name, Fetched] = OrderedDict()
        self._held = 0
        """Bytes of what is known."""
        self._under_way: WeakValueDictionary[_Name, asyncio.Lock] = WeakValueDictionary()

    async def of(self, job: Job, spec: JobSpec) -> dict[Shown, Fetched]:
        """Return what those URLs of a job show that cannot go as URLs; raise `UploadFailed`."""
        wanted = list(dict.fromkeys(self._wanted(job, spec)))
        return dict(zip(wanted, await together(self._fetched(job, spec, shown) for shown in wanted), strict=True))

    def _wanted(self, job: Job, spec: JobSpec) -> Iterator[Shown]:
        for mask, images in ((False, spec.references), (True, (spec.mask,))):
            urls = [image.url for image in images if isinstance(image, RemoteImage)]
            if urls and self._has_to_be_seen(job, spec, mask=mask):
                yield from (Shown(url=url, mask=mask) for url in urls)

    def _has_to_be_seen(self, job: Job, spec: JobSpec, *, mask: bool) -> bool:
        """Whether the API takes no URL here, or what the URL shows has to be changed first."""
        provider, settings = self._tools.provider(job), self._tools.desk(job).settings
        if mask and settings.black_white_masks:
            return provider.capabilities.inputs_for(settings.options) in (Inputs.CONTENT, Inputs.UPLOAD)
        return isinstance(provider, LimitsProvider) and not provider.image_limits(spec, settings, mask=mask).urls

    async def _fetched(self, job: Job, spec: JobSpec, shown: Shown) -> Fetched:
        target = target_of(spec, self._tools.provider(job), self._tools.desk(job).settings, mask=shown.mask)
        name = (job.account, shown.url, target)
        lock = self._under_way.setdefault(name, asyncio.Lock())
        async with lock:  # a second job that shows the same waits for the first one's fetch
            if name not in self._known:
                self._remember(name, await self._fetch(job, shown, target))
            self._known.move_to_end(name)
            return self._known[name]

    def _remember(self, name: _Name, fetched: Fetched) -> None:
        self._known[name] = fetched
        self._held += fetched.image.size
        while self._held > _MOST_BYTES and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._held -= oldest.image.size

    async def _fetch(self, job: Job, shown: Shown, target: Target) -> Fetched:
        what = "mask" if shown.mask else "reference"
        body = _Body()
        try:
            await self._tools.files.fetch(shown.url, self._tools.desk(job).settings, body.write)
            return await self._fitted(body.content, target, what)
        except Unfetched as error:
            raise _failed(f"a {what} cannot be fetched: {error}", again=may_pass(error.signal)) from error
        except Forbidden as error:
            raise _failed(f"a {what} cannot be fetched: {error}") from error
        except (NotAnImage, UnsafeImage, BadPicture) as error:
            raise _failed(f"what {without_query(shown.url)} shows cannot be used as a {what}: {error}") from error

    async def _fitted(self, content: bytes, target: Target, stem: str) -> Fetched:
        facts = await self._tools.results.look_at(content)
        image = image_of(Path(stem), facts)
        image = sent_as(image, await self._tools.references.made_of(content, image.sha256, target))
        if image.sent is not None:
            content = await asyncio.to_thread(self._tools.references.read, image.sent)
        name = f"{stem}.{extension_of(image.format)}"
        return Fetched(image=image, file=FileInput(filename=name, content_type=f"image/{image.format}", content=content))


class _Body:
    """What comes from a URL, as long as it is no larger than a file of the user's own may be."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LARGEST:
            raise BadPicture(f"it has more than {LARGEST // 2**20} MiB, which is what an image may have at most")
        self._pieces.append(piece)


def _failed(message: str, *, again: bool = False) -> UploadFailed:
    return UploadFailed(Failure(code=ErrorCode.UPLOAD_FAILED, message=message), again=again)

"""References that are URLs, for APIs that take bytes: fetched as carefully as a result, before anything is paid."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from orchestrator.engine.together import together
from orchestrator.engine.tools import Tools
from orchestrator.engine.uploads import UploadFailed, may_pass
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.secrets import without_query
from orchestrator.jobs.spec import JobSpec, LocalImage, RemoteImage
from orchestrator.providers.base import FileInput, LimitsProvider
from orchestrator.results import NotAnImage, UnsafeImage, extension_of
from orchestrator.store.records import Job
from orchestrator.transport.files import Forbidden, Unfetched

_MOST_BYTES = 64 * 2**20
"""How much of what was fetched is kept in memory for other jobs that show the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What a URL shows."""

    image: LocalImage
    """Its facts; its path is only a name."""
    file: FileInput


class RemoteImages:
    """Fetches each image once for an account, as long as there is room to remember it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known: OrderedDict[tuple[str, str], Fetched] = OrderedDict()
        self._held = 0
        """Bytes of what is known."""
        self._under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def of(self, job: Job, spec: JobSpec) -> dict[str, Fetched]:
        """Return what those URLs of a job show that its API does not take as URLs; raise `UploadFailed`."""
        wanted = list(dict.fromkeys(self._wanted(job, spec)))
        return dict(zip(wanted, await together(self._fetched(job, url) for url in wanted), strict=True))

    def _wanted(self, job: Job, spec: JobSpec) -> Iterator[str]:
        provider, settings = self._tools.provider(job), self._tools.desk(job).settings
        for mask, images in ((False, spec.references), (True, (spec.mask,))):
            urls = [image.url for image in images if isinstance(image, RemoteImage)]
            if urls and isinstance(provider, LimitsProvider) and not provider.image_limits(spec, settings, mask=mask).urls:
                yield from urls

    async def _fetched(self, job: Job, url: str) -> Fetched:
        name = (job.account, url)
        lock = self._under_way.setdefault(name, asyncio.Lock())
        async with lock:  # a second job that shows the same waits for the first one's fetch
            if name not in self._known:
                self._remember(name, await self._fetch(job, url))
            self._known.move_to_end(name)
            return self._known[name]

    def _remember(self, name: tuple[str, str], fetched: Fetched) -> None:
        self._known[name] = fetched
        self._held += fetched.image.size
        while self._held > _MOST_BYTES and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._held -= oldest.image.size

    async def _fetch(self, job: Job, url: str) -> Fetched:
        pieces: list[bytes] = []
        try:
            await self._tools.files.fetch(url, self._tools.desk(job).settings, pieces.append)
            content = b"".join(pieces)
            facts = await self._tools.results.look_at(content)
        except Unfetched as error:
            raise _failed(f"a reference cannot be fetched: {error}", again=may_pass(error.signal)) from error
        except Forbidden as error:
            raise _failed(f"a reference cannot be fetched: {error}") from error
        except (NotAnImage, UnsafeImage) as error:
            raise _failed(f"what {without_query(url)} shows cannot be used as a reference: {error}") from error
        name = f"reference.{extension_of(facts.format)}"
        image = LocalImage(
            path=Path(name),
            sha256=facts.sha256,
            size=facts.bytes,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            alpha=facts.alpha,
        )
        return Fetched(image=image, file=FileInput(filename=name, content_type=f"image/{facts.format}", content=content))


def _failed(message: str, *, again: bool = False) -> UploadFailed:
    return UploadFailed(Failure(code=ErrorCode.UPLOAD_FAILED, message=message), again=again)

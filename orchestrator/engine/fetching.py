"""One image from its source to its final name, or what is to be done instead."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.degraded import degraded
from orchestrator.engine.tools import Tools
from orchestrator.jobs.failures import Action, ErrorCode, Failure, row_of
from orchestrator.results import Arrival, NotAnImage, SavedImage, UnsafeImage, WorkerUnavailable, safe_name
from orchestrator.store.records import Image, Job, SavedFile
from orchestrator.transport.files import Forbidden, OutOfReach, Unfetched

SAME_URL_TRIES = 2
"""Times a URL may deliver rubbish before a fresh one is asked for."""
MOST_TRIES = 8
MOST_REFETCHES = 3


class Fetching(StrEnum):
    """What came of fetching an image."""

    SAVED = "saved"
    AGAIN = "again"
    REFETCH = "refetch"
    EXPIRED = "expired"
    UNUSABLE = "unusable"
    HELD = "held"
    """The account's settings keep it out of reach, until the user changes them."""
    HALTED = "halted"
    """The disk takes nothing more."""


_NOTHING_WRONG = Failure(code=ErrorCode.DOWNLOAD_FAILED, message="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one image."""

    image: Image
    verdict: Fetching
    saved: SavedFile | None = None
    failure: Failure = _NOTHING_WRONG
    """Why it was not saved."""


class Fetcher:
    """Fetches and saves single images."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def fetch(self, job: Job, image: Image) -> Outcome:
        """Fetch, decode and save one image; every way it can go wrong is an outcome."""
        try:
            saved = await (self._from_answer(job, image) if image.url is None else self._from_url(job, image, image.url))
        except Unfetched as error:
            return self._unfetched(job, image, error)
        except NotAnImage as error:
            return self._rubbish(job, image, f"what came is no whole image: {error}")
        except (UnsafeImage, Forbidden) as error:
            verdict = Fetching.HELD if isinstance(error, OutOfReach) else Fetching.UNUSABLE
            return _outcome(image, verdict, ErrorCode.UNSAFE_RESULT, str(error))
        except WorkerUnavailable as error:
            return _outcome(image, Fetching.AGAIN, ErrorCode.DOWNLOAD_FAILED, str(error))
        except OSError as error:
            return self._unwritten(job, image, error)
        lacks = degraded(job.spec, saved)
        self._tools.news.tell("image_saved", job, index=image.index, file=saved.file, bytes=saved.bytes, degraded=lacks)
        return Outcome(image=image, verdict=Fetching.SAVED, saved=_saved_file(saved, lacks))

    async def _from_answer(self, job: Job, image: Image) -> SavedImage:
        folder = self._tools.results.folder(job.batch)
        return await self._tools.results.save_inline(
            folder, str(image.base64), attempt_id=image.attempt_id, stem=safe_name(job.key), index=image.index
        )

    async def _from_url(self, job: Job, image: Image, url: str) -> SavedImage:
        arrival = Arrival(self._tools.results.folder(job.batch), image.attempt_id, image.index)
        try:
            await self._tools.files.fetch(url, self._tools.desk(job).settings, arrival.write)
            return await self._tools.results.save_arrival(arrival, stem=safe_name(job.key))
        except (NotAnImage, UnsafeImage):
            await self._tools.results.set_aside(arrival)  # paid bytes are kept, though nobody can use them as they are
            raise
        except BaseException:
            arrival.discard()
            raise

    def _unwritten(self, job: Job, image: Image, error: OSError) -> Outcome:
        if image.url is None and isinstance(error, FileNotFoundError) and not self._tools.spool.has(image.attempt_id):
            message = "its raw answer is gone from the spool"
            return self._dead_link(job, image, message)
        return _outcome(image, Fetching.HALTED, ErrorCode.DOWNLOAD_FAILED, error.strerror or str(error))

    def _unfetched(self, job: Job, image: Image, error: Unfetched) -> Outcome:
        action = row_of(error.signal).download
        if action is Action.REFETCH:
            return self._dead_link(job, image, str(error))
        if action is Action.FAIL or image.tries + 1 >= MOST_TRIES:
            return self._dead_link(job, image, str(error), code=ErrorCode.DOWNLOAD_FAILED)
        return _outcome(image, Fetching.AGAIN, ErrorCode.DOWNLOAD_FAILED, str(error))

    def _rubbish(self, job: Job, image: Image, why: str) -> Outcome:
        if image.url is None:
            return _outcome(image, Fetching.UNUSABLE, ErrorCode.DOWNLOAD_FAILED, f"{why}; the raw answer is kept")
        if image.tries + 1 < SAME_URL_TRIES:
            return _outcome(image, Fetching.AGAIN, ErrorCode.DOWNLOAD_FAILED, why)
        if image.tries + 1 < MOST_TRIES and not self._may_refetch(job, image):
            return _outcome(image, Fetching.AGAIN, ErrorCode.DOWNLOAD_FAILED, why)
        return self._dead_link(job, image, why, code=ErrorCode.DOWNLOAD_FAILED)

    def _dead_link(self, job: Job, image: Image, why: str, *, code: ErrorCode = ErrorCode.RESULT_EXPIRED) -> Outcome:
        if self._may_refetch(job, image):
            return _outcome(image, Fetching.REFETCH, code, why)
        return _outcome(image, Fetching.EXPIRED if code is ErrorCode.RESULT_EXPIRED else Fetching.UNUSABLE, code, why)

    def _may_refetch(self, job: Job, image: Image) -> bool:
        return (
            self._tools.provider(job).capabilities.refetch
            and job.remote_id is not None
            and image.refetches < MOST_REFETCHES
            and image.tries + 1 < MOST_TRIES
        )


def _outcome(image: Image, verdict: Fetching, code: ErrorCode, message: str) -> Outcome:
    return Outcome(image=image, verdict=verdict, failure=Failure(code=code, message=message))


def _saved_file(saved: SavedImage, lacks: str | None) -> SavedFile:
    return SavedFile(
        file=saved.file,
        sha256=saved.sha256,
        bytes=saved.bytes,
        format=saved.format,
        width=saved.width,
        height=saved.height,
        degraded=lacks,
    )

"""Gives images their files again, from where they can be had without paying: the spooled answer, else the provider's task.

Only the very bytes that were saved count: a file goes back under its name when its SHA-256 is the recorded one. Nothing is
deleted: a changed file gets the name `NAME.changed`, other bytes of the provider stay in the spool. What nobody has any more is
written down as lost, and only the user can have it made again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from orchestrator.engine.asking import ask_for_task
from orchestrator.engine.fetching import Fetcher, Fetching, Outcome
from orchestrator.engine.findings import Finding, ImageName, Kind
from orchestrator.engine.paid_answers import read_spooled
from orchestrator.engine.tools import Tools
from orchestrator.jobs.attempts import ImageState
from orchestrator.jobs.lifecycle import FINAL, State
from orchestrator.jobs.reports import Output, Status
from orchestrator.jobs.retry import wait_after
from orchestrator.providers.base import TaskProvider
from orchestrator.results.shelf import Shelf
from orchestrator.store.books import Books
from orchestrator.store.door import Stale
from orchestrator.store.records import Image, Job, SavedFile
from orchestrator.store.repairs import Repairs
from orchestrator.store.stories import Story
from orchestrator.transport.messages import Unanswered, Unreadable, Unsent

TRIES = 3
"""Times a download that breaks off is begun."""
AT_ONCE = 16
"""Jobs that are repaired at once."""
REPAIRABLE = (Kind.MISSING_FILE, Kind.CHANGED_FILE)

_GONE = frozenset({404, 410})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mended:
    """What became of a finding."""

    finding: Finding
    done: bool
    """Whether store and folder agree again."""
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where an image can be had."""

    output: Output | None
    told: str
    """Where it is from; without an `output`, why there is none."""
    for_good: bool = False
    """Whether it is certain that there will never be one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One finding with all that is known of its image."""

    finding: Finding
    name: ImageName
    job: Job
    story: Story
    shelf: Shelf

    @property
    def image(self) -> Mapping[str, Any]:
        """The image's row."""
        return next(row for row in self.story.images if self._is_ours(row))

    @property
    def attempt(self) -> Mapping[str, Any]:
        """The row of the attempt that brought it."""
        return next(row for row in self.story.attempts if row["id"] == self.name.attempt_id)

    @property
    def is_last(self) -> bool:
        """Whether no other image of the job is on disk."""
        return not any(row["state"] == ImageState.SAVED and not self._is_ours(row) for row in self.story.images)

    @property
    def number(self) -> int:
        """Which output of its attempt it is, from 0: they were numbered in their order, but not always from 0."""
        indexes = sorted(row["index"] for row in self.story.images if row["attempt_id"] == self.name.attempt_id)
        return indexes.index(self.name.index)

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        return (row["attempt_id"], row["index"]) == (self.name.attempt_id, self.name.index)


class Repairer:
    """Mends findings about single files. Nothing it does is ever charged: it has no way to submit."""

    def __init__(self, tools: Tools, books: Books, repairs: Repairs, *, may_lose: bool) -> None:
        """`may_lose`: whether what nobody has any more is written down as lost; not in a folder that is not known to be ours."""
        self._tools, self._books, self._repairs, self._may_lose = tools, books, repairs, may_lose
        self._fetcher = Fetcher(tools)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def mend(self, findings: Sequence[Finding], shelf: Shelf) -> list[Mended]:
        """Mend what can be mended; the findings of one job must stand together."""
        jobs = [list(of_job) for _, of_job in groupby(findings, key=lambda finding: finding.image and finding.image.job_id)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._mend_job(of_job, shelf)) for of_job in jobs]
        return [mended for task in tasks for mended in task.result()]

    async def _mend_job(self, findings: Iterable[Finding], shelf: Shelf) -> list[Mended]:
        async with self._free:
            return [await self._mend(finding, shelf) for finding in findings]

    async def _mend(self, finding: Finding, shelf: Shelf) -> Mended:
        if finding.kind not in REPAIRABLE or finding.image is None:
            return Mended(finding=finding, done=False, message=finding.message)
        job = await self._books.job(finding.image.job_id)
        story = await self._tools.store.story(job.id)
        case = Case(finding=finding, name=finding.image, job=job, story=story, shelf=shelf)
        if job.state not in FINAL:
            return _left(case, f"its job is {job.state}: `resume` first, then repair again")
        try:
            source = await self._source(case)
            return await (self._without(case, source) if source.output is None else self._with(case, source, source.output))
        except Stale:
            return _left(case, "its job was moved meanwhile: repair again")
        except OSError as error:
            return _left(case, f"the disk refused: {error.strerror or error}")

    async def _source(self, case: Case) -> Source:
        provider = self._tools.providers.provider(case.attempt["provider"])
        spooled = await read_spooled(self._tools.spool, provider, case.name.attempt_id)
        if spooled is not None and len(spooled[0].outputs) > case.number:
            return Source(output=spooled[0].outputs[case.number], told="the answer kept in the spool")
        remote_id = case.attempt["remote_id"]
        if remote_id is None or not isinstance(provider, TaskProvider):
            return Source(output=None, told="it came with its answer, of which no copy is kept", for_good=True)
        try:
            return await self._task(case, provider, remote_id)
        except (Unsent, Unanswered, Unreadable) as error:
            return Source(output=None, told=f"the provider cannot be asked for task {remote_id} now: {error}")

    async def _task(self, case: Case, provider: TaskProvider, remote_id: str) -> Source:
        request = provider.status_request(remote_id, self._tools.desk(case.job).settings)
        answer = await ask_for_task(self._tools, case.job, case.name.attempt_id, request)
        if answer.status not in range(200, 300):
            said = provider.read_failure(answer)
            told = f"asked for task {remote_id}, the provider answers HTTP {answer.status}: {said.message}"
            is_own_word = said.provider_code is not None  # a 404 of any other kind may come from a wrong address
            return Source(output=None, told=told, for_good=answer.status in _GONE and is_own_word)
        report = provider.read_status(answer)
        if report.status is Status.SUCCEEDED and len(report.outputs) > case.number:
            return Source(output=report.outputs[case.number], told=f"the provider's task {remote_id}")
        told = f"task {remote_id} is {report.status} at the provider, without this image"
        return Source(output=None, told=told, for_good=report.status is not Status.RUNNING)

    async def _with(self, case: Case, source: Source, output: Output) -> Mended:
        outcome = await self._fetched(case, output)
        saved = outcome.saved
        if saved is None:
            return _left(case, f"{source.told} does not give it back: {outcome.failure.message}")
        if saved.sha256 == case.image["sha256"]:
            return await self._put_back(case, source, saved)
        if saved.file == case.image["file"] and case.finding.kind is Kind.CHANGED_FILE:
            return await self._correct(case, source, saved)
        kept = await self._set_aside(case, saved)
        return _left(case, f"{source.told} gives other bytes now than were saved; they lie at {kept}")

    async def _fetched(self, case: Case, output: Output) -> Outcome:
        image = Image(attempt_id=case.name.attempt_id, index=case.name.index, url=output.url, base64=output.base64)
        outcome = await self._fetcher.fetch(case.job, image)
        for attempt in range(1, TRIES):
            if outcome.verdict not in (Fetching.AGAIN, Fetching.REFETCH):
                break
            await self._tools.clock.sleep(wait_after(attempt, self._tools.random))
            outcome = await self._fetcher.fetch(case.job, image)
        return outcome

    async def _put_back(self, case: Case, source: Source, saved: SavedFile) -> Mended:
        """Give the right bytes the recorded name; what stood there makes room only now that they are on the disk."""
        aside = await self._make_room(case, saved)
        why = f"its file is back from {source.told}" + (f"; what stood there is {aside} now" if aside else "")
        await self._repairs.restore(case.job, case.name.attempt_id, case.name.index, replace(saved, file=case.image["file"]), why)
        return Mended(finding=case.finding, done=True, message=why)

    async def _make_room(self, case: Case, saved: SavedFile) -> str | None:
        if saved.file == case.image["file"]:
            return None
        name, new = case.shelf.own_name(case.image["file"]), case.shelf.own_name(saved.file)
        if name is None or new is None:
            raise ValueError(f"{case.image['file']} and {saved.file} do not both lie in {case.shelf.path}")
        is_others = bool(await self._books.recorded([saved.file]))
        return await asyncio.to_thread(_exchange, case.shelf, name, new, keep=is_others)

    async def _correct(self, case: Case, source: Source, saved: SavedFile) -> Mended:
        """The file is what the provider delivered, so it was the row that had been changed."""
        why = f"its file is what {source.told} gives, so its row was wrong and is put right"
        await self._repairs.restore(case.job, case.name.attempt_id, case.name.index, saved, why)
        return Mended(finding=case.finding, done=True, message=why)

    async def _set_aside(self, case: Case, saved: SavedFile) -> Path:
        path = self._tools.out.absolute() / saved.file
        if await self._books.recorded([saved.file]) and saved.file != case.image["file"]:
            return path  # the very bytes of another image
        return await asyncio.to_thread(self._tools.spool.set_aside, path, case.name.attempt_id, case.name.index)

    async def _without(self, case: Case, source: Source) -> Mended:
        """Nobody has the image: a changed file stays what it is, a missing one is written down as lost."""
        if case.finding.kind is not Kind.MISSING_FILE or not source.for_good or not self._may_lose:
            return _left(case, f"{case.finding.message}; {source.told}")
        why = f"its file is gone, and {source.told}"
        if case.is_last and case.job.state is State.SUCCEEDED:
            await self._repairs.lose_last(case.job, case.name.attempt_id, case.name.index, why)
            return Mended(finding=case.finding, done=False, message=f"{why}; it has expired, and `retry` would pay for it again")
        await self._repairs.lose(case.job, case.name.attempt_id, case.name.index, why)
        return Mended(finding=case.finding, done=False, message=f"{why}; it is written down as lost")


def _left(case: Case, message: str) -> Mended:
    return Mended(finding=case.finding, done=False, message=message)


def _exchange(shelf: Shelf, name: str, new: str, *, keep: bool) -> str | None:
    """Give the file `new` the name `name`; return what a file that stood there is called now."""
    aside = shelf.put_aside(name) if shelf.has(name) else None
    shelf.rename(new, name, keep=keep)
    return aside

"""Small images that arrive at the same time share a worker's visit and the flush of their folder, as steps share a commit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.decoding.facts import UnsafeImage
from orchestrator.decoding.replies import Reply, result_of
from orchestrator.results.files import OutputFolder
from orchestrator.results.pool import DecodePool

MOST = 8
"""Images of one visit: more would share little more, and wait for each other."""
PATIENCE = 0.02
"""Seconds after which images no longer wait for the visit before theirs, which may have met a slow one."""


@dataclass(frozen=True, slots=True)
class _Guest:
    part: str
    target: str
    content: bytes
    reply: asyncio.Future[Reply]


class Gathering:
    """Those for one folder: the first sets off at once, others when it is back, when enough wait, or when they waited long."""

    def __init__(self, folder: OutputFolder, pool: DecodePool) -> None:
        self._folder, self._pool = folder, pool
        self._waiting: list[_Guest] = []
        self._timer: asyncio.TimerHandle | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def save(self, part: str, target: str, content: bytes) -> Reply:
        """Save an image as `target`; `part` is its name until then. Raises as `DecodePool.run` does."""
        loop = asyncio.get_running_loop()
        guest = _Guest(part, target, content, loop.create_future())
        self._waiting.append(guest)
        if not self._visits or len(self._waiting) == MOST:
            self._set_off()
        elif self._timer is None:
            self._timer = loop.call_later(PATIENCE, self._set_off)
        return await guest.reply

    async def close(self) -> None:
        """Stop what is under way; whoever still waits is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        guests, self._waiting = self._waiting, []
        _dismiss(guests)
        visits = tuple(self._visits)
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)

    def _set_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        guests, self._waiting = self._waiting, []
        visit = asyncio.create_task(self._visit(guests), name=f"save {len(guests)} images")
        self._visits.add(visit)
        visit.add_done_callback(self._back)

    def _back(self, visit: asyncio.Task[None]) -> None:
        self._visits.discard(visit)
        if self._waiting and not visit.cancelled():
            self._set_off()

    async def _visit(self, guests: Sequence[_Guest]) -> None:
        try:
            answered = await self._answered(guests)
        except UnsafeImage as error:  # one of them ended the worker, or took all its time: alone, each answers for itself
            if len(guests) == 1:
                _fail(guests, error)
            else:
                for guest in guests:
                    await self._visit([guest])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            _fail(guests, error)
        except asyncio.CancelledError:
            _dismiss(guests)
            raise
        else:
            for guest, answer in answered:
                _settle(guest, answer)

    async def _answered(self, guests: Sequence[_Guest]) -> list[tuple[_Guest, Reply]]:
        images = [[guest.part, guest.target, len(guest.content)] for guest in guests]
        content = b"".join(guest.content for guest in guests)
        out, batch = str(self._folder.out), self._folder.name
        reply = await self._pool.run("save_together", content=content, out=out, batch=batch, images=images)
        return list(zip(guests, reply["images"], strict=True))


def _settle(guest: _Guest, answer: Reply) -> None:
    try:
        result = result_of(answer)
    except Exception as error:  # noqa: BLE001 - what this image raised over there, it raises here
        _fail([guest], error)
    else:
        if not guest.reply.done():
            guest.reply.set_result(result)


def _fail(guests: Sequence[_Guest], error: Exception) -> None:
    for guest in guests:
        if not guest.reply.done():
            guest.reply.set_exception(error)


def _dismiss(guests: Sequence[_Guest]) -> None:
    for guest in guests:
        guest.reply.cancel()

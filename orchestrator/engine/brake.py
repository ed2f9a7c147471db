"""What ends a run that can no longer write down what it does: nothing new is paid for, and the user hears why."""

import asyncio
import errno
from collections.abc import Coroutine, Generator, Mapping
from contextvars import Context
from types import TracebackType
from typing import Any, TypeVar, cast

from orchestrator.engine.desk import Desk
from orchestrator.engine.news import News
from orchestrator.engine.pulse import Pulse
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.store.door import Damaged, Unavailable

T = TypeVar("T")
_Work = Generator[Any, None, T] | Coroutine[Any, Any, T]

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
DISK_TROUBLE = NO_ROOM | {errno.EIO}


class Brake:
    """Pulled once; the first reason stays."""

    def __init__(self, desks: Mapping[str, Desk], news: News, pulse: Pulse) -> None:
        self._desks, self._news, self._pulse = desks, news, pulse
        self.reason: str | None = None
        """Why nothing more can be written; None while all is well."""
        self.damaged = False
        """Whether the store itself cannot be trusted any more."""

    def pull(self, why: str) -> None:
        """Stop every account."""
        if self.reason is None:
            self.reason = why
            self._news.tell("halted", reason=why)
            for desk in self._desks.values():
                desk.paused = desk.paused or Failure(code=ErrorCode.DOWNLOAD_FAILED, message=why)
        self._pulse.beat()

    def pull_for(self, error: Unavailable | OSError) -> None:
        """Stop because the store or the disk refused; raise an `OSError` again that says nothing about the disk."""
        if isinstance(error, OSError) and error.errno not in DISK_TROUBLE:
            raise error
        self.damaged = self.damaged or isinstance(error, Damaged)
        what = "the disk cannot be written" if isinstance(error, OSError) else "the store cannot be written"
        self.pull(f"{what}: {error}")


class Crew(asyncio.TaskGroup):
    """The tasks of a run: one that store or disk refuses pulls the brake, and the others finish what they are at."""

    def __init__(self, brake: Brake) -> None:
        super().__init__()
        self._brake = brake
        self._to_begin: set[_Work[Any]] = set()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            for work in self._to_begin:  # a task that is cancelled before it began has not touched its work
                work.close()

    def create_task(self, coro: _Work[T], *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Start a task of the crew."""
        self._to_begin.add(coro)
        return super().create_task(self._watched(coro), name=name, context=context)

    async def _watched(self, work: _Work[T]) -> T | None:
        self._to_begin.discard(work)
        try:
            return await cast("Coroutine[Any, Any, T]", work)
        except (Unavailable, OSError) as error:
            self._brake.pull_for(error)
            return None

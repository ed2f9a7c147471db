"""Worker processes for decoding, and what happens when an image kills one.

They are programs started anew (`python -m orchestrator.decoding.worker`), not forks and not `multiprocessing`: nothing of the
engine is inherited, neither the handle that holds the store's lock nor the API keys in the environment, and the module that
was run as `__main__` is not run again. Each works on one request at a time, so it is known which one ended a worker.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from orchestrator.decoding.facts import UnsafeImage
from orchestrator.decoding.replies import result_of
from orchestrator.jobs.spec import Json

SECONDS_PER_IMAGE = 30.0
MEMORY = 1 << 30
"""Bytes of address space (reliability.md d.2)."""

_PROGRAM = (sys.executable, "-P", "-W", "ignore", "-m", "orchestrator.decoding.worker")
_INHERITED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_READY = b"ready\n"
_NO_MORE = b""
"""Handed to `communicate`, which closes the worker's input only when it is given something."""
_PATIENCE = 0.25
"""Seconds a request waits for the workers there are before one more is started: more than a start, and than most images, take."""
_QUEUE = 4
"""Requests waiting at once for which one more worker is started without patience."""
_GRACE = 5.0
"""Seconds a worker gets to end by itself."""


class WorkerUnavailable(RuntimeError):
    """A decode worker that does not even start: nothing is wrong with the image."""


class _WorkerDied(Exception):
    """The process ended instead of answering."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}")
        self.timed_out = exit_code == -signal.SIGALRM


class DecodePool:
    """Up to `workers` processes: the first is started when it is needed, more when requests have to wait, and all are kept."""

    def __init__(
        self,
        *,
        workers: int | None = None,
        seconds: float = SECONDS_PER_IMAGE,
        memory: int = MEMORY,
        program: Sequence[str] = _PROGRAM,
        patience: float = _PATIENCE,
    ) -> None:
        self._seconds, self._patience = seconds, patience
        self._command = (*program, str(seconds), str(memory))
        self._most = workers or 2 * (os.cpu_count() or 1)
        self._slots, self._size, self._waiting = asyncio.Semaphore(1), 1, 0
        self._idle: list[Process] = []
        self._started: set[Process] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, task: str, *, content: bytes = b"", **arguments: Json) -> dict[str, Json]:
        """Run one of the tasks of `worker` with JSON arguments, and `content` if it takes bytes; return its JSON result.

        Raises `NotAnImage`, `UnsafeImage` (also for a request that took too long or ended two workers), `OSError` when the disk
        fails, `WorkerUnavailable` when no worker starts.
        """
        request = json.dumps({"task": task, "bytes": len(content), **arguments}).encode() + b"\n" + content
        await self._take_slot()
        try:
            reply = await self._asked_twice(request)
        finally:
            self._slots.release()
        return result_of(json.loads(reply))

    async def _take_slot(self) -> None:
        """Wait for the right to one worker; whoever waits too long brings one of its own, which remains for others."""
        if self._slots.locked() and self._size < self._most:
            if await self._in_line(self._patience if self._waiting < _QUEUE else 0.0):
                return
            if self._size < self._most:
                self._size += 1
                return
        await self._slots.acquire()

    async def _in_line(self, seconds: float) -> bool:
        """Wait for a slot so long; say whether there was one."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._slots.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End all workers, once nothing waits for `run` any more; one that is still at work gets a few seconds."""
        for worker in tuple(self._started):
            try:
                async with asyncio.timeout(_GRACE):
                    await worker.communicate(_NO_MORE)
            except TimeoutError:
                _kill(worker)
                await worker.communicate(_NO_MORE)
        self._started.clear()
        self._idle.clear()

    async def _asked_twice(self, request: bytes) -> bytes:
        """One death may be chance, such as the system running out of memory; a second is the image's doing."""
        try:
            return await self._asked(request)
        except _WorkerDied as death:
            self._refuse_slow(death)
        try:
            return await self._asked(request)
        except _WorkerDied as death:
            self._refuse_slow(death)
            raise UnsafeImage(f"decoding the image ended two worker processes ({death})") from None

    def _refuse_slow(self, death: _WorkerDied) -> None:
        if death.timed_out:
            raise UnsafeImage(f"decoding the image took longer than {self._seconds:g} seconds") from None

    async def _asked(self, request: bytes) -> bytes:
        worker = self._idle.pop() if self._idle else await self._start()
        try:
            reply = await _exchange(worker, request)
        except BaseException:  # whatever it was, the worker's next line would answer the wrong question
            _kill(worker)
            raise
        if not reply.endswith(b"\n"):
            exit_code = await worker.wait()
            self._started.discard(worker)
            raise _WorkerDied(exit_code)
        self._idle.append(worker)
        return reply

    async def _start(self) -> Process:
        """Start a worker in a process group of its own, which the terminal's Ctrl-C does not reach."""
        worker = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, env=_environment(), process_group=0
        )
        self._started.add(worker)
        try:
            if await _exchange(worker, b"") == _READY:
                return worker
        except BaseException:
            _kill(worker)
            raise
        self._started.discard(worker)
        raise WorkerUnavailable(f"the decode worker does not start (exit code {await worker.wait()})")


async def _exchange(worker: Process, request: bytes) -> bytes:
    """Return the worker's next line, empty when it is dead."""
    assert worker.stdin is not None  # noqa: S101 - both are pipes, which the types cannot know
    assert worker.stdout is not None  # noqa: S101
    try:
        worker.stdin.write(request)
        await worker.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return b""
    return await worker.stdout.readline()


def _kill(worker: Process) -> None:
    """End a worker. `Process.kill` would first look whether it is dead, and so take its exit code from the loop's own watcher."""
    if worker.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Return what a worker needs of our environment: the keys are not among it."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    modules = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return kept | {"PYTHONPATH": modules, "MALLOC_ARENA_MAX": "2"}  # few arenas: each reserves 64 MiB of the address space

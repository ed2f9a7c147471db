"""The program as a process of its own without the second that its imports take: forked from a process that has made them.

What is forked has one thread and has run nothing of the program, so it differs from a fresh interpreter in nothing but its age.
Where the interpreter itself matters (other modules, other switches, a terminal) tests start one.
"""

import asyncio
import io
import multiprocessing
import os
import runpy
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["orchestrator.app", "orchestrator.cli.main", "orchestrator.cli.commands", "tests.clocks", "pytest"]
)


CUSTOM = "sitecustomize"


def started(
    module: str,
    arguments: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    out: Path | Connection,
    err: Path | None = None,
    strict: bool = False,
) -> ForkServerProcess:
    """Start `python -m MODULE ARGUMENTS`, `strict` with warnings as errors; without `err` errors go to those of the tests."""
    order = (module, list(arguments), cwd, dict(environment), out, err, strict)
    process = _CONTEXT.Process(target=_run, args=order)
    process.start()
    return process


@dataclass(kw_only=True)
class Talking:
    """A process whose words are read as they come: as much of asyncio's own `Process` as tests need."""

    process: ForkServerProcess
    stdout: asyncio.StreamReader

    @classmethod
    async def start(cls, module: str, arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> "Talking":
        """Start a module with warnings as errors."""
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        process = started(module, arguments, cwd=cwd, environment=environment, out=theirs, strict=True)
        theirs.close()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(os.dup(ours.fileno()), "rb")
        ours.close()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return cls(process=process, stdout=reader)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    async def wait(self) -> int | None:
        """Return the exit code, once there is one."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self.process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.process.sentinel)
        self.process.join()
        return self.process.exitcode

    def send_signal(self, each: int) -> None:
        os.kill(self.pid, each)

    def kill(self) -> None:
        self.process.kill()


def _run(
    module: str,
    arguments: list[str],
    cwd: Path,
    environment: dict[str, str],
    out: Path | Connection,
    err: Path | None,
    strict: bool,
) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    _put(os.open(os.devnull, os.O_RDONLY), 0)
    _put(os.dup(out.fileno()) if isinstance(out, Connection) else _file(out), 1)
    if isinstance(out, Connection):
        out.close()
    if err is not None:
        _put(_file(err), 2)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w", closefd=False)), encoding="utf-8", line_buffering=True)
    sys.argv = [module, *arguments]
    _extend_path([each for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each not in sys.path])
    warnings.resetwarnings()
    if strict:
        warnings.simplefilter("error")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _extend_path(folders: list[str]) -> None:
    """Take in further folders for modules, and do what a new interpreter would first do with one of them."""
    sys.path[:0] = folders
    spec = PathFinder.find_spec(CUSTOM, folders)
    if spec is not None and spec.loader is not None:
        sys.modules[CUSTOM] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


def _file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def _put(handle: int, descriptor: int) -> None:
    os.dup2(handle, descriptor)
    os.close(handle)

"""Starting the program as a process, and ending it at the worst moments."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Self

from orchestrator.simulator import Submission
from tests.clocks import FastClock
from tests.warm import Talking

from .bench import KEYS, Bench, query

ROOT = Path(__file__).parents[2]
RUNNER = (sys.executable, "-W", "error", "-m", "tests.engine.runner")
NOTHING: Mapping[str, str] = MappingProxyType({})
PATIENCE = 60.0
"""Real seconds after which a process counts as stuck."""


@dataclass(kw_only=True)
class Engine:
    """The program in a process of its own, working on a bench."""

    process: Process | Talking

    @classmethod
    async def start(
        cls,
        bench: Bench,
        action: str,
        *,
        seed: int = 1,
        environment: Mapping[str, str] = NOTHING,
        program: Sequence[str] = (),
    ) -> Self:
        """Start `run` or `resume` on the bench's clock, which must be a `FastClock`; with more in its environment."""
        assert isinstance(bench.clock, FastClock)
        order = {
            "action": action,
            "db": str(bench.database),
            "out": str(bench.out),
            "file": str(bench.file),
            "seed": seed,
            "factor": bench.clock.factor,
            "origin": bench.clock.origin,
        }
        known = {**os.environ, **KEYS, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        known |= environment
        if not program:
            process = await Talking.start("tests.engine.runner", [json.dumps(order)], cwd=ROOT, environment=known)
            return cls(process=process)
        return cls(process=await asyncio.create_subprocess_exec(*program, json.dumps(order), stdout=PIPE, env=known, cwd=ROOT))

    async def words(self) -> dict[str, Any]:
        """Return the next thing it says; empty when it is dead."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self.process.stdout.readline()
        words: dict[str, Any] = json.loads(line) if line else {}
        return words

    async def ended(self) -> dict[str, Any]:
        """Wait for the end and return how it says it ended."""
        words = await self.words()
        while "begun" in words or "signals" in words:
            words = await self.words()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()
        return words

    def terminate(self) -> None:
        """Ask it to drain."""
        self.process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.process.kill()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as something is so, looked at every few milliseconds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is looked at stands in another process
            await asyncio.sleep(0.003)


@dataclass(kw_only=True)
class Killer:
    """Ends engines while submissions are open and results are on disk, at moments drawn from `random`."""

    bench: Bench
    random: Random
    kills: int = 0

    async def strike(self, engine: Engine, *, accepted: int, aimed: bool) -> None:
        """Kill once `accepted` submissions are charged in all: 0 to 40 ms after one of them if `aimed`, else at any moment.

        The next request is waited for if none is in flight then, so that every kill puts something in doubt.
        """
        await until(lambda: len(self.bench.accepted()) >= accepted and self._succeeded() > 0)
        if aimed:
            await self._one_accepted()
            await asyncio.sleep(self.random.uniform(0.0, 0.04))
        else:
            await asyncio.sleep(self.random.uniform(0.0, 0.3))
        await until(lambda: self.bench.simulator.ledger.in_flight > 0)
        await engine.kill()
        self.kills += 1
        self._check_remains()

    async def _one_accepted(self) -> None:
        charged = asyncio.Event()

        def note(_submission: Submission) -> None:
            charged.set()

        self.bench.simulator.on_accepted = note
        async with asyncio.timeout(PATIENCE):
            await charged.wait()
        self.bench.simulator.on_accepted = None

    def _succeeded(self) -> int:
        return int(query(self.bench.database, "SELECT count(*) FROM job WHERE state = 'succeeded'")[0][0])

    def _check_remains(self) -> None:
        """A kill counts only when it hit something, and none may damage the store."""
        database = self.bench.database
        assert query(database, "PRAGMA integrity_check") == [("ok",)]
        assert query(database, "SELECT count(*) FROM attempt WHERE state = 'open'")[0][0] >= 1
        assert self._succeeded() >= 1

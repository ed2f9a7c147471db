"""Engines that die, freeze or are refused the disk at a named point of the program; see `armed/sitecustomize.py`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.engine.bench import Bench
from tests.engine.processes import PATIENCE, Engine

ARMED = Path(__file__).parent / "armed"
DEATHS = frozenset({137, -signal.SIGKILL})
"""How a process ends at a failpoint: by itself, or by the hand of its decode worker."""


async def start(bench: Bench, action: str, orders: str, *, seed: int = 1) -> Engine:
    """Start `run` or `resume` with failpoints armed, such as `P3:1:die`."""
    modules = os.pathsep.join([str(ARMED), *(path for path in sys.path if path)])
    return await Engine.start(bench, action, seed=seed, environment={"FAILPOINT": orders, "PYTHONPATH": modules})


async def death(engine: Engine) -> None:
    """Wait until an engine died at its failpoint; fail when it came to another end."""
    while words := await engine.words():
        assert "begun" in words, f"it was to die, and said {words}"
    async with asyncio.timeout(PATIENCE):
        assert await engine.process.wait() in DEATHS


def stands_still(engine: Engine) -> bool:
    """Say whether a process is frozen."""
    assert engine.process.returncode is None, "it is dead"
    stat = Path(f"/proc/{engine.process.pid}/stat").read_text(encoding="utf-8")
    return stat.rpartition(")")[2].split()[0] == "T"

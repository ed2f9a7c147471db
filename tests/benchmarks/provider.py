"""The provider that all sides are measured against: a simulator in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PROGRAM = """
import asyncio, json, sys
from orchestrator.simulator import SimulatorOptions, serve
asyncio.run(serve(SimulatorOptions(**json.loads(sys.argv[1])), "127.0.0.1", 0, lambda url: print(url, flush=True)))
"""


@contextmanager
def provider(**options: float) -> Iterator[str]:
    """Start a simulator with these `SimulatorOptions` and give its base URL; it ends with the block."""
    program = [sys.executable, "-c", _PROGRAM, json.dumps(options)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the simulator cannot say where it listens")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()

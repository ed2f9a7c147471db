"""The real program as a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orchestrator
from tests import warm

_CHECKOUT = Path(orchestrator.__file__).parents[1]
COMMAND = (sys.executable, "-m", "orchestrator")
LONGEST = 60
"""Seconds after which a program is taken for stuck."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was said on standard error."""
        return self.err.splitlines()


def environment(**more: str) -> dict[str, str]:
    """No keys, no terminal, no settings of whoever runs the tests."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(_CHECKOUT), "LC_ALL": "C.UTF-8", "TZ": "UTC", **more}


def program(*arguments: str, cwd: Path, **more: str) -> Ended:
    """Run the program to its end."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = warm.started("orchestrator", arguments, cwd=cwd, environment=environment(**more), out=out, err=err)
        process.join(LONGEST)
        code = process.exitcode
        if code is None:
            process.kill()
            raise TimeoutError(f"orchestrator {' '.join(arguments)} is stuck")
        return Ended(code=code, out=out.read_text(encoding="utf-8"), err=err.read_text(encoding="utf-8"))


def started(*arguments: str, cwd: Path, **more: str) -> subprocess.Popen[str]:
    """Start the program and let the test talk to it."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def simulated_batch(folder: Path, jobs: int = 2, *, name: str = "quick", concurrency: int = 4) -> str:
    """Write a batch of images that the built-in simulator answers directly; return the file's name."""
    account = f"images: {{provider: openai, base_url: simulator, concurrency: {concurrency}}}"
    rows = "".join(f"  - {{id: mug-{number}, prompt: A mug numbered {number}}}\n" for number in range(jobs))
    text = f"""\
silence: [jpeg-speed]
accounts: {{{account}}}
defaults: {{account: images, model: gpt-image-2, size: 1024x1024, params: {{quality: low}}}}
jobs:
{rows}"""
    (folder / f"{name}.yaml").write_text(text)
    return f"{name}.yaml"

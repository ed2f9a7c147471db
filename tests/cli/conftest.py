import logging
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from tests.cli.program import LONGEST, Ended, program, started

KEY = "sk-test-0123456789"


@dataclass(frozen=True, kw_only=True, slots=True)
class Troubled:
    """A folder in which a batch has run: one job succeeded, one was refused, one is uncertain."""

    folder: Path
    run: Ended


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """The program within this process, which spares each command a second of imports; `run` and others are tried as processes."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def program(self, *arguments: str) -> Ended:
        """Run the program on the store of the folder."""
        code = main([*arguments, "--db", "run.db"])
        out, err = self.capture.readouterr()
        return Ended(code=code, out=out, err=err)


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST)


@pytest.fixture(scope="session")
def faulty_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a provider that refuses some prompts and loses the first answer to each of the others."""
    faults = ("--lose-answer-each", "1", "--fail-containing", "forbidden", "--image-side", "64")
    process = started(
        "simulate", "--provider", "openai", "--port", "0", "--quiet", *faults, cwd=tmp_path_factory.mktemp("server")
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    stop(process)


@pytest.fixture(scope="session")
def troubled_once(faulty_provider: str, tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    folder = tmp_path_factory.mktemp("troubled")
    (folder / "mugs.yaml").write_text(
        f"""\
batch: mugs
accounts:
  tasks: {{provider: toapis, base_url: simulator}}
  images: {{provider: openai, base_url: "{faulty_provider}"}}
defaults: {{account: images, model: gpt-image-2, size: 1024x1024}}
jobs:
  - {{id: fine, account: tasks, model: gpt-4o-image, size: "1:1", prompt: "A mug\\non [red] paper"}}
  - {{id: refused, prompt: A forbidden mug}}
  - {{id: lost, prompt: A mug whose picture got lost, meta: {{sku: A-17}}}}
"""
    )
    return Troubled(folder=folder, run=program("run", "mugs.yaml", "--db", "run.db", cwd=folder, OPENAI_API_KEY=KEY))


@pytest.fixture
def troubled(
    troubled_once: Troubled, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Console]:
    """A copy of the folder that the test may change."""
    folder = tmp_path / "copy"
    shutil.copytree(troubled_once.folder, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    yield Console(folder=folder, capture=capfd)
    logging.captureWarnings(capture=False)

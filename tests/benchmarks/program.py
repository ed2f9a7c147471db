"""The whole program on a batch file, timed from the moment it begins to work until its last job is done."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from orchestrator.app import App, Options
from orchestrator.engine.board import Board
from orchestrator.engine.news import Event
from orchestrator.engine.runtime import Runtime
from orchestrator.providers.toapis import ToApis

_KEY_VARIABLE = "BENCHMARK_KEY"
_BATCH = "benchmark"

TASKS = {"account": "bench", "model": "gpt-4o-image", "size": "1:1"}
IMAGES = {"account": "bench", "model": "gpt-image-1", "size": "1024x1024"}
"""Defaults of a batch at a task API, and at one that answers with the image."""


class Stopwatch:
    """Runs from the beginning of work, after the batch is stored, to the last job's end."""

    def __init__(self) -> None:
        self.jobs = 0
        self._began_at = self._ended_at = 0.0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._ended_at - self._began_at

    def begin(self, _runtime: Runtime, _board: Board) -> None:
        """Start: everything is stored, nothing is sent."""
        self._began_at = time.perf_counter()

    def hear(self, event: Event) -> None:
        """Stop, for the time being, at every job that is done."""
        if event.name == "job_succeeded":
            self.jobs += 1
            self._ended_at = time.perf_counter()


async def run(prompts: Sequence[str], *, url: str, adapter: str, defaults: dict[str, str], folder: Path, slots: int) -> float:
    """Run one image per prompt through the adapter at `url`, everything kept in `folder`; return the seconds it took."""
    # How long to wait for a task is what is known of a provider, no work; the bare loop asks at once as well.
    ToApis.first_poll = 0.0
    os.environ[_KEY_VARIABLE] = "no-secret"
    watch = Stopwatch()
    app = App(Options(db=str(folder / "store.db"), out=str(folder / "out"), config=_no_settings(folder)))
    finished = await app.run(_batch_file(prompts, url, adapter, defaults, folder, slots), [watch.hear], watch.begin)
    if finished.exit_code != 0 or watch.jobs != len(prompts):
        raise RuntimeError(f"{watch.jobs} of {len(prompts)} jobs succeeded, exit code {finished.exit_code}")
    return watch.seconds


def _no_settings(folder: Path) -> Path:
    """Return an empty settings file, so that one in the working directory has no say."""
    path = folder / "orchestrator.toml"
    path.touch()
    return path


def _batch_file(prompts: Sequence[str], url: str, adapter: str, defaults: dict[str, str], folder: Path, slots: int) -> Path:
    account = {
        "provider": adapter,
        "base_url": url,
        "api_key_env": _KEY_VARIABLE,
        "concurrency": slots,
        "outstanding": max(slots, len(prompts)),
    }
    jobs = [{"id": f"job-{number}", "prompt": prompt} for number, prompt in enumerate(prompts)]
    content = {"batch": _BATCH, "accounts": {"bench": account}, "defaults": defaults, "jobs": jobs}
    path = folder / "batch.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path

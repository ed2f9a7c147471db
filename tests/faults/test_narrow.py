"""Narrow limits of the system: fewer requests at a time, said in a line, and never a paid answer without a place to go."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.app.descriptors import BASE, PER_ROUND, PER_SIMULATED, TooFewFiles, at_once, shared

pytestmark = pytest.mark.faults

SMALLEST = BASE + PER_ROUND + PER_SIMULATED


def test_as_many_requests_as_there_are_files_for() -> None:
    assert at_once(BASE + 10 * PER_ROUND, simulated=False) == 10
    assert at_once(SMALLEST, simulated=True) == 1
    with pytest.raises(TooFewFiles, match=f"may open {SMALLEST - 1} files, and needs {SMALLEST} at least"):
        at_once(SMALLEST - 1, simulated=True)


def test_accounts_share_what_there_is_and_none_goes_without() -> None:
    assert shared({"a": 64, "b": 32}, 200) == {"a": 64, "b": 32}
    assert shared({"a": 64, "b": 32}, 48) == {"a": 32, "b": 16}
    assert shared({"a": 64, "b": 1}, 2) == {"a": 1, "b": 1}


def batch_of(folder: Path, jobs: int) -> Path:
    file = folder / "jobs.yaml"
    lines = [f"  - {{id: job-{number}, prompt: Kite {number}}}" for number in range(jobs)]
    account = "{provider: toapis, base_url: simulator, concurrency: 64, outstanding: 200}"
    head = ["batch: narrow", f"accounts: {{studio: {account}}}", "defaults: {account: studio, model: gpt-4o-image}", "jobs:"]
    file.write_text("\n".join([*head, *lines]))
    return file


def run_with(files: int, batch: Path) -> "subprocess.CompletedProcess[str]":
    command = f'ulimit -n {files}; exec "$0" -m orchestrator run "$1"'
    words = ["/bin/sh", "-c", command, sys.executable, batch.name]
    return subprocess.run(words, cwd=batch.parent, capture_output=True, text=True, timeout=60, check=False)


def test_a_run_with_few_files_does_all_its_jobs_one_at_a_time(tmp_path: Path) -> None:
    ended = run_with(SMALLEST, batch_of(tmp_path, 20))
    assert ended.returncode == 0, ended.stderr
    assert "20 succeeded; 20 of 20 images saved" in ended.stderr
    assert f"warning: this process may open {SMALLEST} files: no more than 1 of its paid requests" in ended.stderr


def test_a_run_that_could_not_receive_what_it_pays_for_does_not_begin(tmp_path: Path) -> None:
    ended = run_with(SMALLEST - 1, batch_of(tmp_path, 1))
    assert ended.returncode == 3
    assert f"error: this process may open {SMALLEST - 1} files, and needs {SMALLEST} at least" in ended.stderr

import asyncio
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.cli.signals import Stop
from tests.cli.program import LONGEST, program, simulated_batch, started


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return the first line on standard error that matches."""
    assert process.stderr is not None
    return next(line for line in process.stderr if re.search(pattern, line))


@pytest.mark.slow
def test_the_first_signal_finishes_what_is_paid_for_and_resume_does_the_rest(tmp_path: Path) -> None:
    process = started("run", simulated_batch(tmp_path, 3, concurrency=1), "-v", "--db", "my store.db", cwd=tmp_path)
    read_until(process, "job_submitting")
    process.send_signal(signal.SIGINT)
    said = read_until(process, "stopping")
    assert "waiting for 1 paid request in flight, at most 600 s;" in said
    assert "a second Ctrl-C stops at once and leaves it uncertain" in said
    _, rest = process.communicate(timeout=LONGEST)
    assert process.returncode == 75
    assert "quick: 2 waiting, 1 " in rest
    assert "go on with: orchestrator resume quick --db 'my store.db'" in rest
    resumed = program("resume", "quick", "--db", "my store.db", cwd=tmp_path)
    assert resumed.code == 0
    assert "2 jobs to send; " in resumed.err
    assert "quick: 3 succeeded; 3 of 3 images saved in results/quick" in resumed.lines


def test_the_second_signal_stops_at_once_and_says_what_is_in_doubt(tmp_path: Path) -> None:
    process = started("run", simulated_batch(tmp_path, 2, concurrency=2), "-v", cwd=tmp_path)
    read_until(process, "job_submitting key=mug-1")
    process.send_signal(signal.SIGTERM)
    read_until(process, "stopping")
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert "stopping at once; 2 paid requests in flight may be paid without a result" in rest
    assert "orchestrator resume" in rest
    assert not (tmp_path / "results/quick/manifest.jsonl").exists()


async def test_a_signal_before_anything_was_sent_ends_the_work_at_once() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)

    async def checking() -> None:
        with Stop(said.append) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.Event().wait()
            finally:
                assert stop.before_work

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(checking())
    assert said == []
    assert signal.getsignal(signal.SIGINT) is before

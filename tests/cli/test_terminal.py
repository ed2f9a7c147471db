import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.cli.conftest import Troubled
from tests.cli.program import COMMAND, LONGEST, environment, simulated_batch


def on_a_terminal(*arguments: str, cwd: Path, columns: int = 90) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; return its exit code and all it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, env=environment(TERM="xterm-256color"), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    drawn = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return process.wait(LONGEST), drawn.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_keeps_the_closing_words(tmp_path: Path) -> None:
    code, drawn = on_a_terminal("run", simulated_batch(tmp_path, 3, concurrency=2), cwd=tmp_path)
    assert code == 0
    assert "0/3 jobs" in drawn
    assert "being sent" in drawn
    assert "images saved · $0.0" in drawn
    assert "Traceback" not in drawn
    erased, _, kept = drawn.rpartition("\x1b[2K")
    assert "\x1b[?25h" in erased
    assert kept.splitlines()[0] == "quick: 3 succeeded; 3 of 3 images saved in results/quick"


def test_a_list_of_jobs_is_cut_to_the_width_of_the_terminal(troubled_once: Troubled) -> None:
    code, drawn = on_a_terminal("jobs", "--db", "run.db", cwd=troubled_once.folder, columns=30)
    assert code == 0
    assert [len(line) for line in drawn.splitlines()] == [30] * 4
    assert all(line.endswith("…") for line in drawn.splitlines())


def test_a_manifest_as_csv_takes_one_line_of_a_terminal_for_each_row(troubled_once: Troubled) -> None:
    code, drawn = on_a_terminal("export", "--format", "csv", "--db", "run.db", cwd=troubled_once.folder)
    assert code == 0
    assert len(drawn.rstrip().split("\n")) == 4
    assert r'"A mug\non [red] paper"' in drawn

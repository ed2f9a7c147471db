import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import __version__
from tests.cli.program import environment, program


def test_help_shows_run_resume_and_export_first(tmp_path: Path) -> None:
    shown = program("--help", cwd=tmp_path)
    assert shown.code == 0
    positions = [shown.out.index(f"│ {command} ") for command in ("run", "resume", "export", "validate", "status")]
    assert positions == sorted(positions)


def test_version_is_told(tmp_path: Path) -> None:
    assert program("--version", cwd=tmp_path).out == f"orchestrator {__version__}\n"


def test_help_of_a_command_names_its_options(tmp_path: Path) -> None:
    shown = program("resolve", "--help", cwd=tmp_path).out
    for option in ("--all", "--adopt", "--resubmit", "--not-charged", "--give-up", "--error", "--batch", "--db", "--json"):
        assert option in shown


def test_help_needs_neither_the_store_nor_the_network_library(tmp_path: Path) -> None:
    script = (
        "import sys; from orchestrator.cli.main import main; code = main(['run', '--help']);"
        "sys.exit(code or {'sqlalchemy', 'aiohttp', 'PIL', 'pydantic'} & set(sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu", "jobs.yaml"), 'Did you mean "run"?'),
        (("run", "jobs.yaml", "--simulte"), "Did you mean --simulate?"),
        (("--simulte", "run", "jobs.yaml"), "Did you mean --simulate?"),
        (("run",), "requires an argument"),
        (("run", "one.yaml", "two.yaml"), "nothing is known to do with two.yaml"),
        (("run", "jobs.yaml", "--limit", "0"), "Must be >= 1"),
        (("jobs", "--error", "refusd"), 'Did you mean "refused"?'),
        (("retry", "mug", "--state", "failed"), "Unknown option: --state"),
    ],
)
def test_a_wrong_command_line_gets_one_line_with_a_hint(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = program(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.lines) == 1
    assert ended.out == ""

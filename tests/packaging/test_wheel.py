"""The wheel that users install: everything is in it, and it runs in an environment that has never seen the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
BATCH = """\
accounts: {here: {provider: toapis, base_url: simulator}}
defaults: {account: here, model: gpt-4o-image}
jobs:
  - {id: mug, prompt: A mug from a wheel}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel alone; its dependencies are lent by the one that runs the tests, without our checkout."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    lent = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True
    )
    Path(lent.stdout.strip(), "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return home


def test_the_wheel_carries_migrations_catalog_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "orchestrator/migrations/env.py",
        "orchestrator/migrations/versions/0001_first_schema.py",
        "orchestrator/providers/catalog/toapis.yaml",
        "orchestrator/providers/catalog/openai.yaml",
        "orchestrator/py.typed",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "migrations/")) or "__pycache__" in name]


@pytest.mark.slow
def test_the_installed_program_runs_a_batch_from_another_folder(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "mugs.yaml").write_text(BATCH, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ORCHESTRATOR_DB")}
    done = subprocess.run(
        [str(environment / "bin" / "orchestrator"), "run", "mugs.yaml"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "mugs" / "mug-0.png").read_bytes().startswith(b"\x89PNG")
    where = subprocess.run(
        [str(environment / "bin" / "python"), "-c", "import orchestrator; print(orchestrator.__file__)"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(environment)

"""What the documents say is what the program does."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from orchestrator.jobs.lifecycle import diagram
from orchestrator.providers.describing import describe
from orchestrator.providers.registry import Registry

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
HOUSE = (CHECKOUT / "orchestrator" / "README.md").read_text(encoding="utf-8")


def test_the_diagram_of_the_lifecycle_is_printed_from_the_table() -> None:
    found = re.search(r"```mermaid\n(.*?)\n```", HOUSE, re.DOTALL)
    assert found is not None
    assert found[1] == diagram()


def test_every_room_stands_in_the_house_and_every_room_of_the_house_is_there() -> None:
    block = HOUSE.split("## Rooms")[1].split("```")[1]
    named = set(re.findall(r"\b([a-z]+)(?:/|\.py)(?=\s)", block))
    there = {path.name for path in (CHECKOUT / "orchestrator").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert named == there


def test_the_readmes_table_of_providers_says_what_the_adapters_and_the_catalog_say() -> None:
    registry = Registry(today=lambda: date(2026, 11, 21), plugins=())
    rows = [
        line.strip("| ").split(" | ") for line in README.splitlines() if re.match(r"\| `[\w-]+` \| .* \| `[A-Z_0-9]+` \|", line)
    ]
    said = {identifier: cells for identifier, _prose, *cells in rows}
    known = {name: describe(registry, name) for name in registry.ids()}
    assert said == {
        f"`{name}`": [f"`{facts.key_variable}`", facts.references, ", ".join(facts.features) or "-"]
        for name, facts in known.items()
    }


def test_every_command_of_the_program_stands_in_the_readme_and_no_other() -> None:
    shown = subprocess.run([sys.executable, "-m", "orchestrator", "--help"], capture_output=True, text=True, check=True).stdout
    table = README.split("## Commands")[1].split("| exit code")[0]
    first_columns = [row.split("|")[1] for row in table.splitlines() if "|" in row]
    named = {name for column in first_columns for name in re.findall(r"`([a-z]+)[^`]*`", column)}
    commands = set(re.findall(r"^[│ ]*([a-z]+)  +[A-Z]", shown, re.MULTILINE))
    assert named == commands


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 70, 75, 130])
def test_every_exit_code_is_explained(code: int) -> None:
    assert f"\n| {code} | " in README


def test_the_ci_runs_the_readmes_test_line_and_nothing_cleverer() -> None:
    line = next(line.strip() for line in README.splitlines() if line.strip().endswith("-m tests"))
    assert (CHECKOUT / ".ci" / "run").read_text().splitlines()[-1] == line

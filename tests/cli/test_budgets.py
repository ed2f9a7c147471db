import json
from pathlib import Path

import pytest

from tests.cli.program import program, simulated_batch


def with_budget(folder: Path, budget: str, jobs: int = 6, *, per_day: str | None = None) -> str:
    """Write a batch whose jobs cost about $0.006 each; return the file's name."""
    file = simulated_batch(folder, jobs, concurrency=1)
    text = (folder / file).read_text()
    if per_day is not None:
        text = text.replace("concurrency: 1}", f"concurrency: 1, budget_per_day: {per_day}}}")
    (folder / file).write_text(f"budget: {budget}\n{text}" if budget else text)
    return file


@pytest.mark.slow
def test_a_budget_is_said_before_the_run_and_when_it_ends_it(tmp_path: Path) -> None:
    ended = program("run", with_budget(tmp_path, "0.02"), cwd=tmp_path)
    assert ended.code == 4
    assert ended.lines[1].endswith("; rehearsal at the built-in simulator: nothing is paid; budget $0.02")
    (line,) = [line for line in ended.lines if line.startswith("  budget")]
    assert "of quick: $0.02; $0.0" in line
    assert " spent, $0.00 reserved, $0.00" in line
    assert " left; mug-3 needs up to $0.00" in line
    advice = line.rpartition("enough for all that is left: orchestrator ")[2]
    assert program(*advice.split(), cwd=tmp_path).code == 0
    status = program("status", cwd=tmp_path)
    assert "6 succeeded" in status.out
    assert "  budget    $0.0" in status.out


def test_a_budget_per_day_names_when_it_is_whole_again(tmp_path: Path) -> None:
    ended = program("run", with_budget(tmp_path, "", per_day="0.01"), cwd=tmp_path)
    assert ended.code == 4
    assert "budget per day of images $0.01" in ended.lines[1]
    (line,) = [line for line in ended.lines if line.startswith("  budget")]
    assert "of images for today (UTC): $0.01; " in line
    assert line.endswith("00:00 UTC on, or with a higher budget_per_day: orchestrator resume quick")
    record = json.loads(program("status", "--json", cwd=tmp_path).out)
    assert record["budgets_per_day"]["images"]["budget"] == "0.01"


def test_a_budget_that_is_no_amount_is_refused(tmp_path: Path) -> None:
    file = with_budget(tmp_path, "")
    for amount in ("-1", "much", "NaN"):
        assert program("run", file, f"--budget={amount}", cwd=tmp_path).code == 2
    assert not (tmp_path / "orchestrator.db").exists()


@pytest.mark.slow
def test_one_flag_cannot_be_the_budget_of_two_batches(tmp_path: Path) -> None:
    for name in ("a", "b"):
        program("run", simulated_batch(tmp_path, 2, name=name), "--limit", "1", cwd=tmp_path)
    ended = program("resume", "--budget", "1", cwd=tmp_path)
    assert ended.code == 2
    assert ended.lines == ["error: --budget is for one batch: say which, `resume BATCH`; 2 are unfinished"]


@pytest.mark.slow
def test_the_budget_of_the_settings_counts_where_the_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text("budget = 0.00\n")
    assert program("run", with_budget(tmp_path, ""), cwd=tmp_path).code == 4
    assert program("run", with_budget(tmp_path, "1"), cwd=tmp_path).code == 0

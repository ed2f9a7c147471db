import json
from pathlib import Path

import pytest

from tests.cli.conftest import Console
from tests.cli.program import program, simulated_batch


def test_a_plan_says_what_would_be_sent_and_what_it_may_cost_and_stores_nothing(tmp_path: Path) -> None:
    file = simulated_batch(tmp_path, 3)
    ended = program("plan", file, "--budget", "0.015", cwd=tmp_path)
    assert ended.code == 0
    head, to_send, parts, time, budget = ended.out.splitlines()
    assert head == "quick: 3 jobs, 3 images in the file; nothing was sent"
    assert to_send.startswith("  to send   3 jobs, 3 images; likely $0.0")
    assert parts == "            all by images, openai-images gpt-image-2"
    assert time == "  time      images: unknown until its first answers; set ipm, rpm or tier to know it now"
    assert budget.startswith("  budget    $0.0150; $0.00 spent, $0.00 reserved, $0.0150 left; enough for 2 of 3 jobs at worst, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [file]


def test_what_is_done_already_is_not_planned_again(tmp_path: Path) -> None:
    file = simulated_batch(tmp_path, 3)
    program("run", file, "--limit", "2", "--budget", "1", cwd=tmp_path)
    record = json.loads(program("plan", file, "--json", cwd=tmp_path).out)
    assert record["in_file"]["jobs"] == 3
    assert record["to_send"]["jobs"] == 1
    assert record["stored"] == {"succeeded": 2}
    assert record["times"][0]["binding"] == "concurrency"
    assert record["times"][0]["seconds"] > 0
    assert record["parts"][0] | {"account": "images", "provider": "openai-images", "model": "gpt-image-2"} == record["parts"][0]
    assert record["budget"]["amount"] == "1"
    assert record["budget"]["spent"] > "0.005"
    assert record["budget"]["jobs_at_worst"] == 1


def test_each_account_and_model_has_a_line_of_its_own(troubled: Console) -> None:
    (troubled.folder / "other.yaml").write_text(
        (troubled.folder / "mugs.yaml").read_text().replace("batch: mugs", "batch: other")
    )
    ended = troubled.program("plan", "other.yaml")
    assert "            tasks, toapis gpt-4o-image: 1 job, 1 image; price unknown for 1 job" in ended.out
    assert "            images, openai-images gpt-image-2: 2 jobs, 2 images; likely $" in ended.out
    again = troubled.program("plan", "mugs.yaml")
    assert "  to send   nothing\n  stored    1 succeeded, 1 failed, 1 uncertain: not sent by a run" in again.out


@pytest.mark.parametrize("command", [("plan", "--check"), ("validate",)])
def test_a_check_says_only_whether_the_file_is_good(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = simulated_batch(tmp_path, 1)
    assert "no problems" in program(*command, file, cwd=tmp_path).out
    (tmp_path / file).write_text("jobs: [{prompt: a, account: nobody}]")
    assert program(*command, file, cwd=tmp_path).code == 2


def test_a_file_with_a_budget_and_an_unknown_price_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mugs.yaml").write_text(
        "budget: 5\ndefaults: {account: toapis, model: gpt-4o-image, size: '1:1'}\njobs: [{prompt: a}, {prompt: b}]"
    )
    for command in (("plan",), ("validate",), ("run", "--simulate")):
        ended = program(*command, "mugs.yaml", cwd=tmp_path)
        assert ended.code == 2
        assert ended.lines[0].startswith("mugs.yaml:2:36: ")
        assert "the price of gpt-4o-image on account toapis is not known, and budget cannot be kept" in ended.lines[0]
        assert len(ended.lines) == 2

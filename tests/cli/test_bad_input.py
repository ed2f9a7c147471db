import json
from pathlib import Path

from orchestrator.store.lock import EngineLock
from tests.cli.program import program, simulated_batch

WRONG = """\
batch: wrong
accounts: {tasks: {provider: toapis, base_url: simulator}}
defaults: {account: tasks, model: gpt-4o-image}
jobs:
  - {id: one, prompt: A mug, size: "9:9"}
  - {id: two, promt: A mug}
  - {id: one, prompt: A mug}
"""


def test_every_problem_is_told_at_once_with_its_place_and_nothing_is_stored(tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text(WRONG)
    ended = program("run", "jobs.yaml", cwd=tmp_path)
    assert ended.code == 2
    problems, summary = ended.lines[:-1], ended.lines[-1]
    assert [line.split(":")[:2] for line in problems] == [["jobs.yaml", line] for line in ("5", "6", "6", "7")]
    assert summary == "4 problems; nothing was stored or sent"
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.yaml"]


def test_validate_tells_the_same_problems(tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text(WRONG)
    ended = program("validate", "jobs.yaml", cwd=tmp_path)
    assert ended.code == 2
    assert ended.lines[-1] == "4 problems; nothing was stored or sent"
    assert not (tmp_path / "orchestrator.db").exists()


def test_validate_tells_what_a_good_file_asks_for(tmp_path: Path) -> None:
    ended = program("validate", simulated_batch(tmp_path), cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith("2 jobs, 2 images; likely $0.")
    assert ended.out.endswith("; no problems\n")
    assert ended.err == ""


def test_a_missing_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mugs.csv").write_text("id,prompt\nmug,A mug\n")
    ended = program("run", "mugs.csv", "--account", "openai", "--model", "gpt-image-2", cwd=tmp_path)
    assert ended.code == 2
    assert len(ended.lines) == 1
    assert "OPENAI_API_KEY" in ended.err


def test_whoever_reads_events_hears_of_a_batch_that_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text(WRONG)
    ended = program("run", "jobs.yaml", "--json", cwd=tmp_path)
    last = json.loads(ended.out.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run_finished", 2)
    assert "jobs.yaml:5" in last["error"]


def test_a_store_in_use_by_what_takes_no_batches_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    batch = simulated_batch(tmp_path)
    program("run", batch, "--limit", "1", cwd=tmp_path)
    for words in (["resume"], ["run", batch]):
        with EngineLock(tmp_path / "orchestrator.db"):
            ended = program(*words, cwd=tmp_path)
        assert ended.code == 3
        assert len(ended.lines) == 1
        assert "the store is in use by process" in ended.err


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = program("--db", "none.db", "status", cwd=tmp_path)
    assert (ended.code, len(ended.lines)) == (3, 1)
    assert "none.db" in ended.err


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = program("run", "none.yaml", cwd=tmp_path)
    assert ended.code == 2
    assert "none.yaml" in ended.err


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    ended = program("run", simulated_batch(tmp_path), "--db", "taken/run.db", cwd=tmp_path)
    assert (ended.code, len(ended.lines)) == (3, 1)
    assert "taken" in ended.err

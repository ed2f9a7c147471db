import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import KEY
from tests.cli.program import LONGEST, program, simulated_batch, started


def test_a_run_says_what_it_will_cost_and_what_became_of_it(tmp_path: Path) -> None:
    ended = program("run", simulated_batch(tmp_path), cwd=tmp_path)
    assert ended.code == 0
    assert ended.out == ""
    assert ended.lines[0] == "2 new jobs stored"
    figures, _, rehearsal = ended.lines[1].rpartition("; ")
    assert re.fullmatch(r"2 jobs to send; 2 images; likely \$0\.\d+, at most \$0\.\d+", figures)
    assert rehearsal == "rehearsal at the built-in simulator: nothing is paid"
    assert "quick: 2 succeeded; 2 of 2 images saved in results/quick" in ended.lines
    assert ended.lines[-1].split() == ["manifest", "results/quick/manifest.jsonl"]
    assert any(re.match(r"\d\d:\d\d:\d\d progress at_rest=2 jobs=2 succeeded=2 images=2 ", line) for line in ended.lines)
    assert "\x1b" not in ended.err


def test_a_run_again_sends_nothing(tmp_path: Path) -> None:
    file = simulated_batch(tmp_path, 1)
    program("run", file, cwd=tmp_path)
    again = program("run", file, cwd=tmp_path)
    assert again.code == 0
    assert again.lines[:2] == ["0 new jobs stored; 1 job known already", "nothing new to send"]


def test_a_rehearsal_says_so_and_touches_no_real_store(tmp_path: Path) -> None:
    (tmp_path / "mugs.csv").write_text("id,prompt\nmug,A mug\n")
    ended = program("run", "mugs.csv", "--account", "openai", "--model", "gpt-image-2", "--simulate", "-v", cwd=tmp_path)
    assert ended.code == 0
    assert "rehearsal at the built-in simulator: nothing is paid" in ended.err
    assert re.search(r"^\d\d:\d\d:\d\d job_succeeded key=mug images=1 partial=no batch=mugs$", ended.err, re.MULTILINE)
    assert (tmp_path / "results-simulated/mugs/mug-0.png").exists()
    assert not (tmp_path / "orchestrator.db").exists()


def test_a_quiet_run_says_only_how_it_ended(tmp_path: Path) -> None:
    ended = program("run", simulated_batch(tmp_path), "--quiet", cwd=tmp_path)
    assert ended.out == ""
    assert ended.lines == ["quick: 2 succeeded; 2 of 2 images saved in results/quick"]


def test_events_are_json_lines_and_everything_else_stays_off_standard_output(tmp_path: Path) -> None:
    ended = program("run", simulated_batch(tmp_path), "--json", cwd=tmp_path)
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert all({"event", "time", "batch"} <= event.keys() for event in events)
    names = [event["event"] for event in events]
    assert names[:2] == ["batch_stored", "run_started"]
    assert {"job_submitting", "job_ready", "image_saved", "job_succeeded"} < set(names)
    ready = next(event for event in events if event["event"] == "job_ready")
    assert re.fullmatch(r"0\.\d+", ready["cost"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ready["time"])
    last = {"event": "run_finished", "exit_code": 0, "states": {"succeeded": 2}, "manifests": ["results/quick/manifest.jsonl"]}
    assert last.items() <= events[-1].items()


@pytest.mark.slow
def test_a_reader_who_leaves_does_not_stop_work_that_is_paid_for(tmp_path: Path) -> None:
    process = started("run", simulated_batch(tmp_path), "--json", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(LONGEST) == 0
    assert process.stderr is not None
    assert "Error" not in process.stderr.read()
    process.stderr.close()
    assert len((tmp_path / "results/quick/manifest.jsonl").read_text().splitlines()) == 2


def test_a_wrong_address_pauses_its_account_and_the_way_on_is_told(tmp_path: Path, faulty_provider: str) -> None:
    (tmp_path / "mugs.yaml").write_text(
        f"""\
accounts: {{studio: {{provider: openai, base_url: "{faulty_provider}/nowhere"}}}}
defaults: {{account: studio, model: gpt-image-2, size: 1024x1024}}
jobs: [{{id: mug, prompt: A mug}}]
"""
    )
    ended = program("run", "mugs.yaml", cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert ended.code == 4
    assert re.search(r"^\d\d:\d\d:\d\d account_paused account=studio code=not_found ", ended.err, re.MULTILINE)
    assert "mugs: 1 waiting; 0 of 1 image saved in results/mugs" in ended.lines
    assert ended.lines[-1] == "paused; when the cause is gone: orchestrator resume mugs"

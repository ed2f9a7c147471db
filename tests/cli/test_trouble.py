"""What is said, and what can be done, about jobs that failed or are uncertain."""

import csv
import io
import json
import re

from tests.cli.conftest import KEY, Console, Troubled


def test_a_run_that_leaves_doubt_names_its_causes_its_worst_cost_and_the_exact_commands(troubled_once: Troubled) -> None:
    run = troubled_once.run
    assert run.code == 5
    assert re.search(r'^\d\d:\d\d:\d\d job_failed key=refused code=refused message=".+" batch=mugs$', run.err, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d job_uncertain key=lost code=answer_lost ", run.err, re.MULTILINE)
    assert "mugs: 1 succeeded, 1 failed, 1 uncertain; 1 of 3 images saved in results/mugs" in run.lines
    assert re.search(r"^  failed     1 refused, e\.g\. refused: ", run.err, re.MULTILINE)
    assert "again, as new paid requests: orchestrator retry --all --batch mugs --db run.db" in run.err
    assert re.search(r"1 job perhaps paid, without a result: 1 answer_lost; at most \$0\.\d+$", run.err, re.MULTILINE)
    assert "orchestrator resolve --all --batch mugs --resubmit --db run.db" in run.err
    assert KEY not in run.err


def test_status_tells_jobs_images_and_money(troubled: Console) -> None:
    shown = troubled.program("status", "mugs").out
    assert "3: 1 succeeded, 1 failed, 1 uncertain" in shown
    assert "1 of 3 saved" in shown
    assert re.search(r"at stake  at most \$0\.\d+", shown)


def test_status_as_json_is_one_object_a_batch(troubled: Console) -> None:
    [record] = [json.loads(line) for line in troubled.program("status", "--json").out.splitlines()]
    assert record["batch"] == "mugs"
    assert record["states"] == {"failed": 1, "succeeded": 1, "uncertain": 1}
    assert re.fullmatch(r"0\.\d+", record["at_stake"])


def test_jobs_are_listed_by_state_code_and_key(troubled: Console) -> None:
    titles, *rows = troubled.program("jobs").out.splitlines()
    assert titles.split() == ["BATCH", "KEY", "STATE", "MODEL", "TRIES", "WHY"]
    assert [row.split()[1:3] for row in rows] == [["fine", "succeeded"], ["refused", "failed"], ["lost", "uncertain"]]
    refused = troubled.program("jobs", "mugs", "--error", "refused", "--json").out.splitlines()
    assert [json.loads(line)["key"] for line in refused] == ["refused"]
    narrow = troubled.program("jobs", "--key", "?*e*", "--state", "succeeded", "--state", "failed", "--limit", "1")
    assert [row.split()[1] for row in narrow.out.splitlines()[1:]] == ["fine"]
    assert narrow.err == "only the first 1 job; more with --limit\n"


def test_show_tells_a_job_from_prompt_to_file_on_harmless_lines(troubled: Console) -> None:
    shown = troubled.program("show", "fine").out
    assert "fine of mugs: succeeded" in shown
    assert r"A mug\non [red] paper" in shown
    assert re.search(r"^  1  .* delivered; charged yes", shown, re.MULTILINE)
    assert "file mugs/fine-0.png" in shown
    assert "claimed (pending -> submitting) by engine" in shown


def test_show_as_json_is_the_manifest_row(troubled: Console) -> None:
    row = json.loads(troubled.program("show", "lost", "--json").out)
    assert (row["key"], row["state"], row["meta"]) == ("lost", "uncertain", {"sku": "A-17"})


def test_a_job_or_batch_that_is_not_there_is_one_line(troubled: Console) -> None:
    for arguments in (("show", "nobody"), ("status", "nothing"), ("export", "nothing"), ("resume", "nothing")):
        ended = troubled.program(*arguments)
        assert (ended.code, len(ended.lines)) == (2, 1), arguments


def test_export_writes_the_manifest_in_every_form(troubled: Console) -> None:
    lines = troubled.program("export").out.splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["fine", "refused", "lost"]
    written = troubled.program("export", "mugs", "--format", "json", "-o", "all.json")
    assert (written.code, written.out, written.err) == (0, "", "3 jobs written to all.json\n")
    assert len(json.loads((troubled.folder / "all.json").read_text())) == 3
    table = list(csv.DictReader(io.StringIO(troubled.program("export", "--format", "csv").out)))
    assert [row["meta.sku"] for row in table] == ["", "", "A-17"]


def test_export_to_a_folder_that_is_not_there_is_one_line(troubled: Console) -> None:
    ended = troubled.program("export", "-o", "none/all.json")
    assert (ended.code, len(ended.lines)) == (3, 1)
    assert "none" in ended.err


def test_a_retried_job_is_sent_again(troubled: Console) -> None:
    ended = troubled.program("retry", "--all", "--error", "refused")
    assert (ended.code, ended.out) == (0, "1 job is sent again, as new paid requests: refused\n")
    assert ended.err == "they go on with: orchestrator resume mugs --db run.db\n"
    assert troubled.program("resume").code == 5
    assert len(json.loads(troubled.program("show", "refused", "--json").out)["attempts"]) == 2


def test_a_waiting_job_is_cancelled_and_sent_after_all_only_when_named(troubled: Console) -> None:
    troubled.program("retry", "refused")
    assert troubled.program("cancel", "ref*").out == "1 job is cancelled: refused\n"
    assert troubled.program("retry", "--all").out == "nothing was changed\n"
    assert troubled.program("retry", "refused").code == 0


def test_a_job_in_the_wrong_state_is_named_with_its_state(troubled: Console) -> None:
    for command in (("retry",), ("cancel",), ("resolve", "--give-up")):
        ended = troubled.program(*command, "fine", "nobody")
        assert ended.code == 2
        assert "fine cannot be" in ended.lines[0]
        assert "it is succeeded" in ended.lines[0]
        assert "there is no such job" in ended.lines[1]


def test_an_uncertain_job_is_paid_again_on_the_users_word(troubled: Console) -> None:
    assert troubled.program("resolve", "--all", "--resubmit").out == "1 job is paid again: lost\n"
    resumed = troubled.program("resume", "mugs")
    assert resumed.code == 0
    assert "mugs: 2 succeeded, 1 failed; 2 of 3 images saved in results/mugs" in resumed.lines


def test_an_uncertain_job_is_given_up(troubled: Console) -> None:
    ended = troubled.program("resolve", "lost", "--give-up", "--json")
    assert json.loads(ended.out)["key"] == "lost"
    assert json.loads(troubled.program("show", "lost", "--json").out)["error"]["code"] == "given_up"


def test_the_users_word_must_be_one_word_about_named_jobs(troubled: Console) -> None:
    for arguments in (
        ("resolve", "lost"),
        ("resolve", "lost", "--resubmit", "--give-up"),
        ("resolve", "--resubmit"),
        ("resolve", "lost", "--all", "--resubmit"),
        ("resolve", "--all", "--adopt", "task-1"),
        ("retry",),
        ("cancel",),
    ):
        ended = troubled.program(*arguments)
        assert (ended.code, len(ended.lines)) == (2, 1), arguments
    assert json.loads(troubled.program("show", "lost", "--json").out)["state"] == "uncertain"

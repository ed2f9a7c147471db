"""Each word the user may say of uncertain jobs, end to end: what is refused, what is done, and what it costs."""

import asyncio
import json
import logging
import re
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestrator.app import App, Options
from orchestrator.results import Spool
from tests.cli.conftest import KEY, Console, stop
from tests.cli.program import Ended, started
from tests.clocks import JumpingClock

VARIABLES = ("OPENAI_API_KEY", "TOAPIS_API_KEY")
BATCH = """\
batch: mugs
accounts:
  studio: {{provider: toapis, base_url: "{tasks}", prices: {{gpt-4o-image: {{per_image: "0.02"}}}}}}
  images: {{provider: openai, base_url: "{images}", prices: {{gpt-image-2: {{per_image: "0.05"}}}}}}
defaults: {{account: studio, model: gpt-4o-image, size: "1:1"}}
jobs:
  - {{id: red, prompt: "A red mug"}}
  - {{id: blue, prompt: "A blue mug"}}
  - {{id: shown, account: images, model: gpt-image-2, size: 1024x1024, prompt: "A shown mug"}}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Providers that charge, and lose their first answer to each prompt; tasks cannot be found by our reference."""
    folder = tmp_path_factory.mktemp("servers")
    faults = ("--lose-answer-each", "1", "--no-lookup", "--image-side", "64", "--port", "0", "--quiet")
    processes = {
        name: started("simulate", "--provider", provider, *faults, cwd=folder)
        for name, provider in (("tasks", "toapis"), ("images", "openai"))
    }
    addresses = {}
    for name, process in processes.items():
        assert process.stdout is not None
        addresses[name] = process.stdout.readline().strip()
    yield addresses
    for process in processes.values():
        stop(process)


def charged(address: str) -> list[dict[str, Any]]:
    """Return the submissions that were charged, as the provider has them in its books."""
    parts = urlsplit(address)
    with urllib.request.urlopen(f"http://{parts.netloc}/_simulator/ledger", timeout=10) as answer:
        submissions: list[dict[str, Any]] = json.load(answer)["submissions"]
    return [each for each in submissions if each["charged"]]


@pytest.fixture(scope="module")
def doubtful_once(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doubtful")
    (folder / "mugs.yaml").write_text(BATCH.format(**servers))
    with pytest.MonkeyPatch.context() as patch:
        for variable in VARIABLES:
            patch.setenv(variable, KEY)
        assert asyncio.run(run(folder)) == 5
    return folder


async def run(folder: Path) -> int:
    """Run the batch to its end in virtual time: a task is looked for until a minute after its doubt."""
    async with JumpingClock() as clock:
        app = App(Options(db=str(folder / "run.db"), out=str(folder / "results")), clock=clock)
        return (await app.run(folder / "mugs.yaml", [], lambda _runtime, _board: None)).exit_code


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubtful:
    """A folder of three uncertain jobs, two with tasks and one whose answer is the image."""

    console: Console
    servers: dict[str, str]

    def program(self, *arguments: str) -> Ended:
        return self.console.program(*arguments)

    def charged(self) -> int:
        """Return how often both providers were paid so far."""
        return len(charged(self.servers["tasks"])) + len(charged(self.servers["images"]))

    def task(self, colour: str) -> str:
        """Return the task that was charged first for a mug of this colour."""
        return next(str(each["task_id"]) for each in charged(self.servers["tasks"]) if colour in each["prompt"])

    def states(self) -> dict[str, str]:
        with closing(sqlite3.connect(self.console.folder / "run.db")) as store:
            return dict(store.execute("SELECT key, state FROM job ORDER BY position").fetchall())

    def last_event(self, key: str) -> tuple[str, str, str]:
        """Return what last happened to a job, who did it, and why."""
        with closing(sqlite3.connect(self.console.folder / "run.db")) as store:
            question = "SELECT event, actor, why FROM event WHERE job_id = (SELECT id FROM job WHERE key = ?) ORDER BY id DESC"
            found: tuple[str, str, str] = store.execute(question, (key,)).fetchone()
            return found


@pytest.fixture
def doubtful(
    doubtful_once: Path,
    servers: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Doubtful]:
    folder = tmp_path / "copy"
    shutil.copytree(doubtful_once, folder)
    monkeypatch.chdir(folder)
    for variable in VARIABLES:
        monkeypatch.setenv(variable, KEY)
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    yield Doubtful(console=Console(folder=folder, capture=capfd), servers=servers)
    logging.captureWarnings(capture=False)


ALL_UNCERTAIN = {"red": "uncertain", "blue": "uncertain", "shown": "uncertain"}


def test_status_names_each_uncertain_attempt_with_what_is_known_and_what_it_may_cost(doubtful: Doubtful) -> None:
    shown = doubtful.program("status").out
    assert re.search(
        r"uncertain red: attempt 1, answer_lost after \d+\.\d s; it was sent whole, and no answer came; at most \$0\.02$",
        shown,
        re.MULTILINE,
    )
    assert re.search(r"shown: attempt 1, .* at most \$0\.05$", shown, re.MULTILINE)
    record = json.loads(doubtful.program("status", "--json").out)
    assert [(each["key"], each["reason"], each["phase"], each["cost_worst"]) for each in record["uncertain"]] == [
        ("red", "answer_lost", "sent", "0.02"),
        ("blue", "answer_lost", "sent", "0.02"),
        ("shown", "answer_lost", "sent", "0.05"),
    ]


def test_show_names_it_too(doubtful: Doubtful) -> None:
    shown = doubtful.program("show", "red").out
    assert re.search(r"uncertain; charged possible, cost at most \$0\.02, phase sent, after \d+\.\d s", shown)


def test_adopt_asks_the_provider_and_fetches_the_result_for_nothing(doubtful: Doubtful) -> None:
    before, task = doubtful.charged(), doubtful.task("red")
    ended = doubtful.program("resolve", "red", "--adopt", task)
    assert (ended.code, ended.out) == (0, "1 job is fetched from their task: red\n")
    assert doubtful.last_event("red") == ("adopted", "user", f"resolve --adopt {task}")
    assert doubtful.program("resume").code == 5
    assert doubtful.states() == {**ALL_UNCERTAIN, "red": "succeeded"}
    assert doubtful.charged() == before


def test_a_task_that_the_provider_does_not_know_is_not_adopted(doubtful: Doubtful) -> None:
    ended = doubtful.program("resolve", "red", "--adopt", "task_img_of_nobody")
    assert ended.code == 2
    assert "studio does not show a task task_img_of_nobody: HTTP 404" in ended.err
    assert ended.err.endswith("; nothing was changed\n")
    assert doubtful.states() == ALL_UNCERTAIN


def test_a_task_that_another_attempt_has_is_not_adopted(doubtful: Doubtful) -> None:
    task = doubtful.task("red")
    doubtful.program("resolve", "red", "--adopt", task)
    ended = doubtful.program("resolve", "blue", "--adopt", task)
    assert ended.code == 2
    assert f"task {task} belongs to attempt 1 of red in mugs already" in ended.err
    assert doubtful.states()["blue"] == "uncertain"


def test_where_the_answer_is_the_image_no_task_is_shown_and_none_is_adopted(doubtful: Doubtful) -> None:
    ended = doubtful.program("resolve", "shown", "--adopt", "task-1")
    assert ended.code == 2
    assert "images does not show a task task-1: HTTP 404" in ended.err
    assert doubtful.states() == ALL_UNCERTAIN


def test_a_task_cannot_be_adopted_without_the_key_that_shows_it(doubtful: Doubtful, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOAPIS_API_KEY")
    ended = doubtful.program("resolve", "red", "--adopt", "task-1")
    assert ended.code == 2
    assert "TOAPIS_API_KEY" in ended.err
    assert doubtful.states() == ALL_UNCERTAIN


def test_resubmit_pays_again_exactly_once_each(doubtful: Doubtful) -> None:
    before = doubtful.charged()
    ended = doubtful.program("resolve", "--batch", "mugs", "--resubmit", "--max-cost", "0.09")
    assert (ended.code, ended.out) == (0, "3 jobs are paid again: red, blue, shown\n")
    assert doubtful.last_event("shown") == ("resubmitted", "user", "resolve --resubmit")
    assert doubtful.program("resume").code == 0
    assert doubtful.charged() == before + 3
    attempts = json.loads(doubtful.program("show", "red", "--json").out)["attempts"]
    assert [(each["outcome"], each["charged"]) for each in attempts] == [("abandoned", "possible"), ("delivered", "yes")]


def test_what_may_cost_more_than_allowed_is_refused_whole_with_the_sum(doubtful: Doubtful) -> None:
    ended = doubtful.program("resolve", "--all", "--resubmit", "--max-cost", "0.08")
    assert ended.code == 2
    assert ended.lines == ["error: paying again for 3 may cost $0.09, more than the $0.08 of --max-cost; nothing was changed"]
    assert doubtful.states() == ALL_UNCERTAIN


def test_an_unknown_price_is_not_allowed_by_any_sum(doubtful: Doubtful) -> None:
    with closing(sqlite3.connect(doubtful.console.folder / "run.db")) as store:
        store.execute("UPDATE job SET cost_worst = NULL WHERE key = 'blue'")
        store.commit()
    ended = doubtful.program("resolve", "--all", "--resubmit", "--max-cost", "100")
    assert ended.code == 2
    assert "nobody knows what 1 of 3 would cost" in ended.err
    assert doubtful.states() == ALL_UNCERTAIN


def test_not_charged_sends_again_and_frees_the_money(doubtful: Doubtful) -> None:
    assert doubtful.program("resolve", "red", "--not-charged").out == "1 job is sent again: red\n"
    row = json.loads(doubtful.program("show", "red", "--json").out)
    assert (row["state"], row["attempts"][0]["charged"]) == ("pending", "no")
    assert json.loads(doubtful.program("status", "--json").out)["at_stake"] == "0.07"


def test_give_up_by_reason_lets_all_of_them_fail_and_keeps_the_books(doubtful: Doubtful) -> None:
    before = doubtful.charged()
    ended = doubtful.program("resolve", "--error", "answer_lost", "--give-up")
    assert ended.out == "3 jobs are given up: red, blue, shown\n"
    assert set(doubtful.states().values()) == {"failed"}
    assert json.loads(doubtful.program("status", "--json").out)["at_stake"] == "0.09"
    assert doubtful.program("resume").code == 0
    assert doubtful.charged() == before


def test_a_ceiling_belongs_to_paying_again(doubtful: Doubtful) -> None:
    for arguments in (("--give-up", "--max-cost", "1"), ("--resubmit", "--max-cost", "-1"), ("--resubmit", "--max-cost", "much")):
        ended = doubtful.program("resolve", "--all", *arguments)
        assert (ended.code, len(ended.lines)) == (2, 1), arguments
    assert doubtful.states() == ALL_UNCERTAIN


def spool_the_answer(doubtful: Doubtful, key: str) -> None:
    """Put the task's answer where a run puts it whose store refuses."""
    with closing(sqlite3.connect(doubtful.console.folder / "run.db")) as store:
        (attempt,) = store.execute("SELECT attempt_id FROM job WHERE key = ?", (key,)).fetchone()
    body = json.dumps({"id": doubtful.task(key), "status": "queued"}).encode()
    spool = Spool(doubtful.console.folder / "run.spool")
    try:
        asyncio.run(spool.keep(attempt, 200, {"content-type": "application/json"}, body))
    finally:
        spool.close()


@pytest.mark.parametrize("word", ["--resubmit", "--give-up", "--not-charged"])
def test_no_word_is_needed_where_the_paid_answer_lies_on_the_disk(doubtful: Doubtful, word: str) -> None:
    spool_the_answer(doubtful, "red")
    before = doubtful.charged()
    ended = doubtful.program("resolve", "red", word)
    assert (ended.code, ended.out) == (0, "nothing was changed\n")
    assert "1 job left alone: red; the paid answer was found on the disk" in ended.err
    assert doubtful.states()["red"] == "running"
    assert doubtful.program("resume").code == 5
    assert doubtful.states()["red"] == "succeeded"
    assert doubtful.charged() == before


def test_a_job_that_was_given_up_is_not_paid_again_while_its_paid_answer_lies_on_the_disk(doubtful: Doubtful) -> None:
    doubtful.program("resolve", "red", "--give-up")
    spool_the_answer(doubtful, "red")
    ended = doubtful.program("retry", "red")
    assert ended.out == "nothing was changed\n"
    assert "1 job left alone: red" in ended.err
    assert doubtful.states()["red"] == "failed"

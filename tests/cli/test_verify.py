import json
import sqlite3
from contextlib import closing

import pytest

from tests.cli.conftest import Console

MUG = "mugs/fine-0.png"


def test_verify_says_that_the_books_balance(troubled: Console) -> None:
    ended = troubled.program("verify")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "3 jobs and 1 file looked at; nothing is amiss\n"
    assert troubled.program("verify", "--quiet").out == ""


def test_verify_names_what_is_missing_foreign_or_changed_and_exits_1(troubled: Console) -> None:
    results = troubled.folder / "results"
    (results / MUG).write_bytes(b"a scribble")
    (results / "mugs" / "holiday\n.jpg").write_bytes(b"mine")
    with closing(sqlite3.connect(troubled.folder / "run.db")) as connection, connection:
        connection.execute("UPDATE job SET state = 'cancelled' WHERE key = 'refused'")
    ended = troubled.program("verify", "mugs")
    assert ended.code == 1
    assert [line.partition(": ")[0] for line in ended.out.splitlines()[:-1]] == ["edited_row", "changed_file", "foreign_file"]
    assert "changed_file: mugs/fine-0.png (fine): the file has 10 bytes, " in ended.out
    assert "edited_row: refused: it is cancelled, but its history ends in failed\n" in ended.out
    assert "foreign_file: mugs/holiday\\n.jpg: it belongs to no job of the batch; keep it somewhere else\n" in ended.out
    assert ended.out.endswith("\n3 jobs and 1 file looked at; 3 findings\n")


@pytest.mark.slow
def test_findings_are_json_lines(troubled: Console) -> None:
    (troubled.folder / "results" / MUG).unlink()
    ended = troubled.program("verify", "--json")
    finding, verified = [json.loads(line) for line in ended.out.splitlines()]
    assert {name: finding[name] for name in ("event", "batch", "key", "file", "kind", "message")} == {
        "event": "finding",
        "batch": "mugs",
        "key": "fine",
        "file": MUG,
        "kind": "missing_file",
        "message": "the file is gone",
    }
    assert {"event": "verified", "jobs": 3, "files": 1, "left": 1, "mended": 0}.items() <= verified.items()


def test_a_repair_brings_the_file_back_and_exits_0(troubled: Console) -> None:
    before = (troubled.folder / "results" / MUG).read_bytes()
    (troubled.folder / "results" / MUG).write_bytes(b"a scribble")
    ended = troubled.program("verify", "--repair")
    assert ended.code == 0, ended
    assert ended.out.startswith("repaired: mugs/fine-0.png (fine): its file is back from the provider's task ")
    assert ended.out.endswith("\n3 jobs and 1 file looked at; 1 repaired; nothing is amiss\n")
    assert (troubled.folder / "results" / MUG).read_bytes() == before
    assert (troubled.folder / "results" / f"{MUG}.changed").read_bytes() == b"a scribble"
    assert "repaired" in troubled.program("show", "fine").out
    assert troubled.program("verify").code == 0


def test_a_batch_that_is_not_there_is_a_usage_error(troubled: Console) -> None:
    ended = troubled.program("verify", "cups")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: there is no batch cups in run.db")

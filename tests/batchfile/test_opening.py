from pathlib import Path
from types import GeneratorType

import pytest

from orchestrator.batchfile import Problems, open_batch
from orchestrator.batchfile.header import is_legal, legal_name

from .reading import Read, read_file

CONTENTS = {
    ".yaml": "jobs: [{prompt: a}, {prompt: b}]\n",
    ".yml": "jobs: [{prompt: a}, {prompt: b}]\n",
    ".csv": "prompt\na\nb\n",
    ".tsv": "prompt\tid\na\t1\nb\t2\n",
    ".jsonl": '{"prompt": "a"}\n{"prompt": "b"}\n',
    ".ndjson": '{"prompt": "a"}\n{"prompt": "b"}\n',
}


@pytest.mark.parametrize("suffix", CONTENTS)
def test_the_format_is_told_by_the_suffix_in_any_case(read: Read, suffix: str) -> None:
    for name in (f"jobs{suffix}", f"JOBS{suffix.upper()}"):
        assert [row.draft.prompt for row in read(name, CONTENTS[suffix]).rows] == ["a", "b"]


@pytest.mark.parametrize("suffix", CONTENTS)
def test_rows_come_one_at_a_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"jobs{suffix}"
    path.write_text(CONTENTS[suffix])
    rows = open_batch(path, Problems()).rows()
    assert isinstance(rows, GeneratorType)
    assert next(rows).draft.prompt == "a"
    rows.close()


@pytest.mark.parametrize("suffix", CONTENTS)
def test_a_file_that_vanishes_before_its_rows_are_read_is_a_problem(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"jobs{suffix}"
    path.write_text(CONTENTS[suffix])
    problems = Problems()
    batch = open_batch(path, problems)
    path.unlink()
    assert list(batch.rows()) == []
    assert [str(problem) for problem in problems.list] == [f"{path}: this file cannot be read: No such file or directory"]


def test_another_suffix_is_refused_with_the_known_ones(read: Read) -> None:
    expected = "jobs.xlsx: the name of a batch file must end in one of .yaml, .yml, .csv, .tsv, .jsonl, .ndjson"
    assert read("jobs.xlsx", "x").line == expected


@pytest.mark.parametrize("suffix", CONTENTS)
def test_a_missing_file_is_a_problem(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none{suffix}"
    assert read_file(path).line == f"{path}: this file cannot be read: No such file or directory"


@pytest.mark.parametrize("suffix", CONTENTS)
def test_a_folder_is_no_batch_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"folder{suffix}"
    path.mkdir()
    assert read_file(path).line.startswith(f"{path}: this is no regular file")


@pytest.mark.parametrize("suffix", CONTENTS)
def test_an_unknown_encoding_is_a_problem(read: Read, suffix: str) -> None:
    for name in ("utf-9", "hex"):
        line = read(f"jobs{suffix}", CONTENTS[suffix], name).line
        assert line.startswith(f"jobs{suffix}: the encoding '{name}' is not known; try utf-8")


def test_places_name_the_file_as_the_user_did(read: Read, tmp_path: Path) -> None:
    assert read("jobs.jsonl", "{}\n").line.startswith("jobs.jsonl:1:")
    assert read_file(tmp_path / "jobs.jsonl").line.startswith(f"{tmp_path}/jobs.jsonl:1:")


@pytest.mark.parametrize("stem", ["spring", "été", "a b/c", "..", "-x-", "", "кружки 2026!", "x" * 300])
def test_any_file_name_gives_a_legal_batch_name(stem: str) -> None:
    assert is_legal(legal_name(stem))

import codecs
import json

import pytest

from .reading import Read

GOOD = '{"prompt": "a"}\n'


def test_each_line_is_a_job_and_blank_lines_are_passed_over(read: Read) -> None:
    reading = read("jobs.ndjson", GOOD + "\n  \n" + '{"prompt": "b"}')
    assert [row.draft.prompt for row in reading.rows] == ["a", "b"]
    assert [row.places.job.line for row in reading.rows] == [1, 4]
    assert [row.number for row in reading.rows] == [0, 1]
    assert reading.lines == []


def test_the_batch_is_called_like_the_file(read: Read) -> None:
    header = read("my spring jobs!.JSONL", GOOD).header
    assert header is not None
    assert header.name == "my-spring-jobs"
    assert (header.accounts, header.defaults) == ({}, {})


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, b""])
def test_utf8_comes_with_or_without_a_byte_order_mark(read: Read, mark: bytes) -> None:
    assert read("jobs.jsonl", mark + '{"prompt": "été"}\n'.encode()).draft.prompt == "été"


def test_utf16_is_known_by_its_byte_order_mark(read: Read) -> None:
    assert read("jobs.jsonl", '{"prompt": "été"}\n'.encode("utf-16")).draft.prompt == "été"


def test_another_encoding_must_be_named(read: Read) -> None:
    content = (GOOD + '{"prompt": "été"}\n').encode("cp1252")
    line = read("jobs.jsonl", content).line
    assert line == "jobs.jsonl:2: this line is not UTF-8: save it as UTF-8 or name its encoding, e.g. --encoding cp1252"
    assert read("jobs.jsonl", content, "cp1252").rows[1].draft.prompt == "été"


def test_broken_json_is_reported_with_its_column_and_reading_goes_on(read: Read) -> None:
    reading = read("jobs.jsonl", '{"prompt": a}\n' + GOOD)
    assert reading.line == "jobs.jsonl:1:12: this is not valid JSON: expecting value"
    assert [row.number for row in reading.rows] == [1]


def test_a_torn_last_line_is_named_as_such(read: Read) -> None:
    reading = read("jobs.jsonl", GOOD + '{"prompt": "b", "si')
    assert reading.line.startswith("jobs.jsonl:2:17: the last line may be cut off: ")
    assert len(reading.rows) == 1


def test_a_name_twice_in_one_object_is_refused(read: Read) -> None:
    reading = read("jobs.jsonl", '{"prompt": "a", "meta": {"b": 1, "b": 2}}\n')
    assert reading.line == "jobs.jsonl:1: 'b' stands twice in one object; keep one"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_cannot_carry_are_refused(read: Read, number: str) -> None:
    line = read("jobs.jsonl", '{"prompt": "a", "extra": {"x": %s}}\n' % number).line  # noqa: UP031 -- braces
    assert line == f"jobs.jsonl:1: {number} is not a number that JSON can carry"


@pytest.mark.parametrize("depth", [51, 100_000])
def test_deep_nesting_is_refused(read: Read, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    line = read("jobs.jsonl", '{"prompt": "a", "meta": {"x": ' + nested + "}}\n").line
    assert line == "jobs.jsonl:1: lists and objects lie more than 50 deep in each other"


def test_brackets_in_a_text_are_no_nesting(read: Read) -> None:
    prompt = '"[' * 100
    assert read("jobs.jsonl", json.dumps({"prompt": prompt}) + "\n").draft.prompt == prompt


def test_a_line_that_is_no_object_is_refused(read: Read) -> None:
    assert read("jobs.jsonl", '["a"]\n').line.endswith("got a list: a line is one job, not a list of them")
    assert read("jobs.jsonl", '"a mug"\n').line.endswith("got 'a mug'")


def test_half_a_character_is_refused_and_a_whole_pair_is_read(read: Read) -> None:
    assert "half of a character" in read("jobs.jsonl", '{"prompt": "\\ud83d!"}\n').line
    assert read("jobs.jsonl", '{"prompt": "\\ud83d\\ude00"}\n').draft.prompt == "😀"


def test_a_line_of_more_than_four_mebibytes_stops_the_reading(read: Read) -> None:
    reading = read("jobs.jsonl", GOOD + json.dumps({"prompt": "x" * (4 << 20)}) + "\n" + GOOD)
    assert reading.line.startswith("jobs.jsonl:2: this line is longer than 4 MiB")
    assert len(reading.rows) == 1


def test_openai_batch_lines_are_refused_once(read: Read) -> None:
    line = '{"custom_id": "a", "method": "POST", "url": "/v1/images/generations", "body": {"prompt": "a"}}\n'
    assert read("jobs.jsonl", line * 3).line.startswith("jobs.jsonl:1: OpenAI Batch lines")


def test_an_empty_file_has_no_jobs(read: Read) -> None:
    assert read("jobs.jsonl", "\n").line == "jobs.jsonl: there are no jobs in this file"

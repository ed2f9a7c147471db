"""What is refused before anything is stored or sent, whoever would make the image."""

import json

import pytest

from .reading import Read

KEY = "sk-proj-abcdefgh12345678"


@pytest.mark.parametrize(
    ("job", "place"),
    [
        (f"- {{prompt: use {KEY} please}}", "2:12"),
        (f"- {{prompt: a, meta: {{deep: [1, {{x: {KEY}}}]}}}}", "2:36"),
        (f"- {{prompt: a, extra: {{user: {KEY}}}}}", "2:29"),
        (f"- {{prompt: a, id: {KEY}}}", "2:19"),
        (f"- {{prompt: a, references: ['https://a.example/?k={KEY}']}}", "2:28"),
    ],
)
def test_a_key_in_a_job_is_refused_at_its_place_and_not_repeated(read: Read, job: str, place: str) -> None:
    line = read("jobs.yaml", f"jobs:\n{job}\n").line
    assert line.startswith(f"jobs.yaml:{place}: this looks like an API key; keys come from the environment only")
    assert KEY not in line


def test_a_key_is_refused_in_every_format_and_in_defaults(read: Read) -> None:
    lines = [
        read("jobs.jsonl", json.dumps({"prompt": f"a {KEY}"}) + "\n").line,
        read("jobs.csv", f"prompt,meta.note\na,{KEY}\n").line,
        read("jobs.yaml", f"defaults: {{params: {{user: {KEY}}}}}\njobs:\n- {{prompt: a}}\n").line,
    ]
    assert all("looks like an API key" in line and KEY not in line for line in lines)


def test_a_key_where_something_else_is_wrong_is_not_repeated_either(read: Read) -> None:
    for line in read("jobs.yaml", f"jobs:\n- {{prompt: a, n: {KEY}, {KEY}: 1, size: [{KEY}]}}\n").lines:
        assert KEY not in line


@pytest.mark.parametrize(
    "fields", ["output_format: svg", "output_format: SVG", "params: {output_format: svg}", "extra: {output_format: svg}"]
)
def test_svg_is_refused_because_it_could_not_be_saved(read: Read, fields: str) -> None:
    line = read("jobs.yaml", f"jobs:\n- {{prompt: a, {fields}}}\n").line
    assert "is not supported: an SVG can hold scripts" in line
    assert "order png, webp or jpeg" in line


def test_svg_in_defaults_is_refused_once(read: Read) -> None:
    reading = read("jobs.yaml", "defaults: {output_format: svg}\njobs:\n- {prompt: a}\n- {prompt: b}\n")
    assert reading.line.startswith("jobs.yaml:1:27: output_format svg is not supported")


def test_keys_that_differ_in_letter_case_alone_are_warned_about_and_run(read: Read) -> None:
    ids = ["mug", "Mug", "MUG", "cup", "Stra\u00dfe", "STRASSE"]
    reading = read("jobs.yaml", "jobs:\n" + "".join(f"- {{prompt: a, id: {key}}}\n" for key in ids))
    assert len(reading.rows) == len(ids)
    assert reading.lines == [
        "jobs.yaml:3:19: warning: id 'Mug' differs in letter case alone from that in line 2, and so will their files",
        "jobs.yaml:4:19: warning: id 'MUG' differs in letter case alone from that in line 3, and so will their files",
        "jobs.yaml:7:19: warning: id 'STRASSE' differs in letter case alone from that in line 6, and so will their files",
    ]


def test_a_lower_case_key_is_warned_about_when_it_comes_second(read: Read) -> None:
    reading = read("jobs.jsonl", '{"prompt": "a", "id": "Mug"}\n{"prompt": "b", "id": "mug"}\n')
    assert "id 'mug' differs in letter case alone from that in line 1" in reading.line

"""The rules of a job's fields, the same in every format; JSONL is the plainest way to write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.batchfile import Problems, open_batch
from orchestrator.jobs.places import Place
from orchestrator.jobs.spec import ParentImage

from .reading import Read, Reading


def job(read: Read, **fields: Any) -> Reading:
    return read("jobs.jsonl", json.dumps({"prompt": "a mug", **fields}) + "\n")


def test_a_prompt_is_enough(read: Read) -> None:
    draft = job(read).draft
    assert draft.prompt == "a mug"
    assert (draft.key, draft.account, draft.model, draft.size, draft.n) == (None, None, None, None, None)
    assert (draft.params, draft.extra, draft.meta, draft.references, draft.mask) == ({}, {}, {}, (), None)
    assert draft.priority == 0


def test_every_field_arrives(read: Read) -> None:
    draft = job(
        read, id="mug", account="studio", model="gpt-image-2", endpoint="openai-edits", size="1:1", n=2, priority=-3,
        params={"background": "auto"}, extra={"seed": 7}, meta={"sku": ["A", None]}, mask="https://example.com/m.png",
    ).draft  # fmt: skip
    assert (draft.key, draft.account, draft.model, draft.endpoint) == ("mug", "studio", "gpt-image-2", "openai-edits")
    assert (draft.size, draft.n, draft.priority) == ("1:1", 2, -3)
    assert (draft.params, draft.extra, draft.meta) == ({"background": "auto"}, {"seed": 7}, {"sku": ["A", None]})
    assert draft.mask == "https://example.com/m.png"


@pytest.mark.parametrize("prompt", ["", "  \n", None])
def test_a_prompt_must_not_be_empty(read: Read, prompt: str | None) -> None:
    assert job(read, prompt=prompt).line.startswith("jobs.jsonl:1: prompt ")


def test_a_job_without_a_prompt_is_told_so(read: Read) -> None:
    assert read("jobs.jsonl", '{"id": "a"}\n').line == "jobs.jsonl:1: prompt is missing: every job needs one"


def test_a_prompt_must_not_have_nul_characters(read: Read) -> None:
    assert job(read, prompt="a\x00b").line == "jobs.jsonl:1: prompt must not have NUL characters"


def test_null_means_not_given(read: Read) -> None:
    assert job(read, size=None, params=None, references=None).draft.size is None


def test_an_unknown_field_gets_a_hint(read: Read) -> None:
    assert job(read, promt="x").line == "jobs.jsonl:1: unknown field 'promt'; did you mean 'prompt'?"
    assert "belongs under `params`" in job(read, style="vivid").line


def test_blanks_around_a_size_are_taken_off(read: Read) -> None:
    assert job(read, size="1024x1024 ").draft.size == "1024x1024"


@pytest.mark.parametrize("name", ["id", "account", "model", "endpoint", "size", "quality", "output_format"])
@pytest.mark.parametrize("value", [True, 1.5, [], {}, ""])
def test_text_fields_take_only_text(read: Read, name: str, value: Any) -> None:
    assert job(read, **{name: value}).line.startswith(f"jobs.jsonl:1: {name} must ")


def test_a_number_as_an_id_is_taken_as_text(read: Read) -> None:
    assert job(read, id=7).draft.key == "7"


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "two", [1]])
def test_n_must_be_a_whole_number_from_one(read: Read, value: Any) -> None:
    assert job(read, n=value).line.startswith("jobs.jsonl:1: n must be a whole number from 1; got ")


def test_a_number_in_quotes_is_pointed_out(read: Read) -> None:
    assert job(read, n="2").line == "jobs.jsonl:1: n must be a number: write 2 without quotes; got '2'"
    assert "write 5 without quotes" in job(read, priority="5").line


def test_a_priority_has_bounds_that_every_database_can_store(read: Read) -> None:
    assert "from -1000000 to 1000000" in job(read, priority=2**63).line


@pytest.mark.parametrize("name", ["params", "extra", "meta", "vars"])
@pytest.mark.parametrize("value", ["x", [], 3])
def test_mappings_must_be_mappings(read: Read, name: str, value: Any) -> None:
    assert job(read, **{name: value}).line.startswith(f"jobs.jsonl:1: {name} must be a mapping of names to values; got")


@pytest.mark.parametrize("key", ["a" * 201, "a\nb", "a\x7f", " a", "a ", "a\u2028b"])
def test_an_id_has_rules(read: Read, key: str) -> None:
    assert job(read, id=key).line.startswith("jobs.jsonl:1: id must ")


@pytest.mark.parametrize("key", ["a", "a" * 200, "été 7/b", "кружка", "👩‍🎨"])
def test_an_id_may_be_in_any_script(read: Read, key: str) -> None:
    assert job(read, id=key).draft.key == key


def test_an_id_used_twice_names_the_first_line(read: Read) -> None:
    lines = '{"prompt": "a", "id": "x"}\n{"prompt": "b"}\n{"prompt": "c", "id": "x"}\n'
    reading = read("jobs.jsonl", lines)
    assert reading.line == "jobs.jsonl:3: id 'x' is already used by the job in line 1"
    assert [row.number for row in reading.rows] == [0, 1]


def test_reading_the_rows_again_finds_no_id_used_twice(read: Read, tmp_path: Path) -> None:
    read("jobs.jsonl", '{"prompt": "a", "id": "x"}\n')
    problems = Problems()
    batch = open_batch(tmp_path / "jobs.jsonl", problems)
    assert [row.draft for row in batch.rows()] == [row.draft for row in batch.rows()]
    assert problems.list == []


def test_quality_and_format_move_into_params_and_size_and_n_out_of_it(read: Read) -> None:
    draft = job(read, quality="low", output_format="webp", params={"size": "1:1 ", "n": 2, "style": "vivid"}).draft
    assert draft.params == {"quality": "low", "output_format": "webp", "style": "vivid"}
    assert (draft.size, draft.n) == ("1:1", 2)


def test_a_field_given_twice_must_say_the_same(read: Read) -> None:
    assert job(read, quality="low", n=2, params={"quality": "low", "n": 2}).draft.n == 2
    reading = job(read, quality="low", n=1, params={"quality": "high", "n": 2})
    assert reading.lines == [
        "jobs.jsonl:1: quality is given twice: 'low' here and 'high' in params; keep one",
        "jobs.jsonl:1: n is given twice: 1 here and 2 in params; keep one",
    ]


def test_size_and_n_are_checked_in_params_too(read: Read) -> None:
    assert job(read, params={"n": "2"}).line.startswith("jobs.jsonl:1: params.n must be a number: write 2 without quotes")


def test_local_paths_become_absolute_and_urls_stay(read: Read, tmp_path: Path) -> None:
    draft = job(read, references=["refs/a b.png", "HTTPS://example.com/x?y=1", "/srv/c.png", "~/d.png"]).draft
    expected = (f"{tmp_path}/refs/a b.png", "HTTPS://example.com/x?y=1", "/srv/c.png", f"{tmp_path}/~/d.png")
    assert draft.references == expected


def test_a_single_reference_is_a_list_of_one(read: Read, tmp_path: Path) -> None:
    assert job(read, references="a.png", mask="m.png").draft.references == (f"{tmp_path}/a.png",)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y.png", "data:image/png;base64,AA", "s3://b/k"])
def test_other_schemes_are_refused(read: Read, url: str) -> None:
    name = url.split(":", maxsplit=1)[0]
    reading = job(read, references=["a.png", url], mask=url)
    assert len(reading.lines) == 2
    for line, field in zip(reading.lines, ("references[1]", "mask"), strict=True):
        assert line.startswith(f"jobs.jsonl:1: {field} must be a path or an http(s) URL; {name} is not read: ")


@pytest.mark.parametrize("value", ["", " ", "a\x00b", 3, None, ["a"]])
def test_a_reference_must_name_something(read: Read, value: Any) -> None:
    assert job(read, references=[value]).line.startswith("jobs.jsonl:1: references[0] must ")


def test_images_of_other_jobs_may_be_references_and_masks(read: Read) -> None:
    draft = job(read, references=["a.png", {"job": "a", "image": 1}], mask={"job": "b"}, continues="c", fan_out=True).draft
    assert draft.references[1:] == (ParentImage(job="a", image=1),)
    assert (draft.mask, draft.continues, draft.fan_out) == (ParentImage(job="b"), "c", True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"references": [{"image": 0}]}, "references[0] must name another job as {job: KEY, image: 0}; got the names 'image'"),
        (
            {"references": [{"job": "a", "picture": 0}]},
            "references[0] must name another job as {job: KEY, image: 0}; got the names",
        ),
        ({"references": [{"job": "a", "image": -1}]}, "references[0].image must be a whole number from 0; got -1"),
        ({"continues": "a\nb"}, "continues must not have control characters"),
        ({"fan_out": 2}, "fan_out must be true or false; got 2"),
    ],
)
def test_a_tie_to_another_job_must_be_well_formed(read: Read, fields: dict[str, Any], said: str) -> None:
    assert job(read, **fields).line.startswith(f"jobs.jsonl:1: {said}")


def test_braces_mean_themselves_in_jobs_without_vars(read: Read) -> None:
    assert job(read, prompt="{colour} {{ }").draft.prompt == "{colour} {{ }"


def test_vars_fill_the_prompt(read: Read) -> None:
    assert job(read, prompt="{n} {colour} mugs", vars={"n": 3, "colour": "red"}).draft.prompt == "3 red mugs"


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_vars_are_text_or_numbers(read: Read, value: Any) -> None:
    assert job(read, prompt="{x}", vars={"x": value}).lines[0].startswith("jobs.jsonl:1: vars.x must be text or a number")


def test_an_unknown_placeholder_gets_a_hint(read: Read) -> None:
    line = job(read, prompt="a {color} mug of {colour}", vars={"colour": "red"}).line
    expected = "prompt has a placeholder 'color', but vars has no value for it; did you mean 'colour'?"
    assert line == f"jobs.jsonl:1: {expected}"


def test_a_variable_that_is_not_used_is_a_warning(read: Read) -> None:
    reading = job(read, vars={"colour": "red"})
    assert len(reading.rows) == 1
    assert reading.line == "jobs.jsonl:1: warning: vars.colour is not used: the prompt has no {colour}"


def test_a_prompt_must_not_be_empty_once_filled(read: Read) -> None:
    assert job(read, prompt="{x}", vars={"x": " "}).line.endswith("prompt is empty once its placeholders are filled")


def test_what_is_shown_of_the_file_cannot_write_to_a_terminal(read: Read) -> None:
    line = job(read, **{"id": "a\x1b[31m\u202e", "n": "x" * 1000, "\x1b]0;": 1}).lines
    assert all(text.isprintable() and len(text) < 200 for text in line)


def test_places_of_all_fields_are_at_least_the_line(read: Read) -> None:
    [row] = job(read, references=["a.png"]).rows
    assert row.places.of(("references", 0)) == Place("jobs.jsonl", 1)

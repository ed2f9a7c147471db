import codecs
from pathlib import Path

import pytest

from orchestrator.jobs.places import Place

from .reading import Read


def test_each_row_is_a_job(read: Read, tmp_path: Path) -> None:
    content = (
        "id,prompt,account,model,endpoint,size,n,quality,output_format,references,mask,priority\n"
        "mug,a mug,studio,gpt-image-2,openai-edits,1024x1024 ,2,high,png,refs/a.png | https://example.com/b.png,m.png,5\n"
    )
    draft = read("jobs.csv", content).draft
    assert (draft.key, draft.prompt, draft.account, draft.model) == ("mug", "a mug", "studio", "gpt-image-2")
    assert (draft.endpoint, draft.size, draft.n, draft.priority) == ("openai-edits", "1024x1024", 2, 5)
    assert draft.params == {"quality": "high", "output_format": "png"}
    assert draft.references == (f"{tmp_path}/refs/a.png", "https://example.com/b.png")
    assert draft.mask == f"{tmp_path}/m.png"


def test_ids_are_taken_letter_by_letter(read: Read) -> None:
    reading = read("jobs.csv", "id,prompt\n007,a\n1e3,b\nno,c\n12:30,d\n")
    assert [row.draft.key for row in reading.rows] == ["007", "1e3", "no", "12:30"]


def test_an_empty_cell_is_not_given_and_empty_rows_are_passed_over(read: Read) -> None:
    reading = read("jobs.csv", "prompt,size,n,references,param.style\na,, ,,\n\n,,,,\nb,,,,\n")
    assert reading.lines == []
    assert [(row.draft.prompt, row.draft.size, row.draft.n) for row in reading.rows] == [
        ("a", None, None),
        ("b", None, None),
    ]
    assert [row.places.job.line for row in reading.rows] == [2, 5]
    assert reading.rows[0].draft.params == {}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5", 5), ("-5", -5), ("0.5", 0.5), ("1e3", 1000.0), ("true", True), ("FALSE", False), ("auto", "auto"),
        ("007", "007"), ("1.", "1."), ("null", "null"), ("True", "True"), ("NaN", "NaN"), ("1024x1024", "1024x1024"),
        ("9" * 19, 9999999999999999999), ("9" * 400, "9" * 400),
    ],
)  # fmt: skip
def test_cells_of_params_are_typed_as_in_json(read: Read, cell: str, value: object) -> None:
    found = read("jobs.csv", f"prompt,param.x\na,{cell}\n").draft.params["x"]
    assert found == value
    assert type(found) is type(value)


def test_vars_and_meta_stay_text(read: Read) -> None:
    draft = read("jobs.csv", "prompt,var.price,meta.sku\n{price} USD,1.50,007\n").draft
    assert draft.prompt == "1.50 USD"
    assert draft.meta == {"sku": "007"}


def test_an_empty_var_cell_never_sends_its_placeholder(read: Read) -> None:
    line = read("jobs.csv", "prompt,var.colour\na {colour} mug,\n").line
    expected = "prompt has a placeholder 'colour', but vars has no value for it; write {{ and }} for braces"
    assert line == f"jobs.csv:2:1: {expected}"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["jobs.csv", "jobs.tsv"])
def test_the_delimiter_is_told_by_the_header(read: Read, delimiter: str, name: str) -> None:
    content = delimiter.join(["prompt", "size"]) + "\n" + delimiter.join(['"a, b; c\td"', "1:1"]) + "\n"
    draft = read(name, content).draft
    assert (draft.prompt, draft.size) == ("a, b; c\td", "1:1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_unicode_and_line_ends_are_told_apart_by_themselves(read: Read, encoding: str, line_end: str) -> None:
    content = line_end.join(["prompt,size", "été,1:1", ""]).encode(encoding)
    assert read("jobs.csv", content).draft.prompt == "été"


def test_big_endian_utf16_is_known_by_its_mark(read: Read) -> None:
    assert read("jobs.csv", codecs.BOM_UTF16_BE + "prompt\nété\n".encode("utf-16-be")).draft.prompt == "été"


def test_another_encoding_must_be_named(read: Read) -> None:
    content = ("prompt\n" + "a\n" * 20_000 + "été\n").encode("cp1252")
    line = read("jobs.csv", content).lines[-1]
    assert line == "jobs.csv:20002: this line is not UTF-8: save it as UTF-8 or name its encoding, e.g. --encoding cp1252"
    assert read("jobs.csv", content, "cp1252").rows[-1].draft.prompt == "été"


def test_an_undecodable_header_is_reported(read: Read) -> None:
    assert read("jobs.csv", "prompt,été\n".encode("cp1252")).line.startswith("jobs.csv:1: this line is not UTF-8")


def test_utf16_without_a_mark_is_reported_by_its_nul_characters(read: Read) -> None:
    assert "--encoding utf-16" in read("jobs.csv", "prompt\na\n".encode("utf-16-le")).lines[0]
    assert read("jobs.csv", "prompt\na\n".encode("utf-16-le"), "utf-16-le").draft.prompt == "a"


def test_a_nul_character_is_refused_and_reading_goes_on(read: Read) -> None:
    reading = read("jobs.csv", "prompt\na\x00b\nc\n")
    assert reading.line.startswith("jobs.csv:2: this row has a NUL character")
    assert [row.draft.prompt for row in reading.rows] == ["c"]


def test_quoted_cells_may_hold_line_breaks_and_lines_are_counted_right(read: Read) -> None:
    reading = read("jobs.csv", 'prompt,n\n"a\nb\nc",1\nd,zero\n')
    assert reading.rows[0].draft.prompt == "a\nb\nc"
    assert reading.rows[0].places.of(("n",)) == Place("jobs.csv", 2, 2)
    assert reading.line == "jobs.csv:5:2: n must be a whole number from 1; got 'zero'"


def test_a_stray_quote_is_reported_where_its_row_starts_and_reading_goes_on(read: Read) -> None:
    reading = read("jobs.csv", 'prompt,n\na,1\n"b "x" c",1\nd,0\n')
    assert reading.lines == [
        'jobs.csv:3: a quote inside a quoted cell must be doubled ("")',
        "jobs.csv:4:2: n must be a whole number from 1; got 0",
    ]
    assert [row.number for row in reading.rows] == [0]


def test_a_quote_that_is_never_closed_is_reported_where_its_row_starts(read: Read) -> None:
    reading = read("jobs.csv", 'prompt,n\na,1\n"b,1\nc,1\nd,1\n')
    assert reading.line == "jobs.csv:3: the quoted cell that starts in this row is never closed; add the missing quote"


def test_long_cells_are_read_up_to_four_mebibytes(read: Read) -> None:
    long = "x" * 200_000
    assert read("jobs.csv", f"prompt\n{long}\n").draft.prompt == long
    reading = read("jobs.csv", "prompt\n" + "x" * (5 << 20) + "\na\n")
    assert reading.line.startswith("jobs.csv:2: a cell of this row is longer than 4 MiB")


@pytest.mark.parametrize(("row", "count"), [("a", 1), ("a,1,2", 3)])
def test_a_row_has_as_many_cells_as_the_header(read: Read, row: str, count: int) -> None:
    line = read("jobs.csv", f"prompt,n\n{row}\n").line
    assert line.startswith(f"jobs.csv:2: this row has {count} cells, the header has 2; quote cells that contain")


def test_every_problem_of_the_header_is_said_at_once_and_the_rows_are_read_too(read: Read) -> None:
    reading = read("jobs.csv", "prompt,promt,params.x,style,continues,,param.,n,n\na,,,,,,,0,0\n")
    assert reading.lines == [
        "jobs.csv:1:2: unknown column 'promt'; did you mean 'prompt'?",
        "jobs.csv:1:3: unknown column 'params.x'; write param.x, var.x or meta.x",
        "jobs.csv:1:4: unknown column 'style'; write param.style, var.style or meta.style",
        "jobs.csv:1:6: this column has no name",
        "jobs.csv:1:7: unknown column 'param.'; write param.NAME, var.NAME or meta.NAME",
        "jobs.csv:1: column 'n' stands 2 times; keep one",
        "jobs.csv:2:9: n must be a whole number from 1; got 0",
    ]


def test_a_file_without_a_prompt_column_is_not_read_further(read: Read) -> None:
    reading = read("jobs.csv", "a mug,1\na cup,2\n")
    assert reading.header is None
    assert reading.lines[-1] == "jobs.csv:1: there is no column `prompt`: the first line must name the columns"


@pytest.mark.parametrize("content", ["", "\n", "\nprompt\n"])
def test_the_first_line_names_the_columns(read: Read, content: str) -> None:
    assert read("jobs.csv", content).line.startswith("jobs.csv:1: the first line is empty; it must name the columns")


def test_a_header_alone_has_no_jobs(read: Read) -> None:
    assert read("jobs.csv", "prompt,n\n\n").line == "jobs.csv: there are no jobs in this file"


def test_a_broken_header_is_reported(read: Read) -> None:
    assert read("jobs.csv", '"prompt,n\na,1\n').line.startswith("jobs.csv:1: the quoted cell that starts in this row")


def test_names_of_columns_may_have_blanks_around_them(read: Read) -> None:
    assert read("jobs.csv", "id , prompt\n1,a\n").draft.key == "1"


def test_the_place_of_a_moved_field_is_its_cell(read: Read) -> None:
    [row] = read("jobs.csv", "prompt,quality,param.size,id,references\na,low,1:1,x,r.png\n").rows
    columns = {path: row.places.of(path).column for path in (("params", "quality"), ("size",), ("key",), ("references", 0))}
    assert columns == {("params", "quality"): 2, ("size",): 3, ("key",): 4, ("references", 0): 5}

from decimal import Decimal
from textwrap import dedent

import pytest
from yaml import SafeLoader

from orchestrator.jobs.places import Place

from .reading import Read, Reading


def yaml(read: Read, text: str) -> Reading:
    return read("jobs.yaml", dedent(text))


def test_header_and_jobs_are_read(read: Read) -> None:
    reading = yaml(
        read,
        """\
        batch: spring-campaign
        accounts:
          studio: {provider: openai, concurrency: 8}
        defaults: {account: studio, model: gpt-image-2, size: 1024x1024, n: 1, quality: low}
        jobs:
          - {id: sketch, prompt: "pencil sketch"}
          - id: front
            prompt: A mug
            params: {quality: high}
        """,
    )
    header = reading.header
    assert reading.lines == []
    assert header is not None
    assert header.name == "spring-campaign"
    assert header.accounts == {"studio": {"provider": "openai", "concurrency": 8}}
    assert header.account_places["studio",] == Place("jobs.yaml", 3, 3)
    assert header.account_places["studio", "concurrency"] == Place("jobs.yaml", 3, 43)
    expected = {"account": "studio", "model": "gpt-image-2", "size": "1024x1024", "n": 1, "params": {"quality": "low"}}
    assert header.defaults == expected
    assert [row.draft.params for row in reading.rows] == [{"quality": "low"}, {"quality": "high"}]
    assert [(row.number, str(row.places.job)) for row in reading.rows] == [(0, "jobs.yaml:6:5"), (1, "jobs.yaml:7:5")]


def test_defaults_may_stand_below_the_jobs(read: Read) -> None:
    assert yaml(read, "jobs:\n- prompt: a\ndefaults: {size: '1:1'}\n").draft.size == "1:1"


def test_the_batch_is_called_like_the_file_unless_it_says_otherwise(read: Read) -> None:
    header = read("my jobs.yml", "jobs: [{prompt: a}]\n").header
    assert header is not None
    assert header.name == "my-jobs"
    header = read("jobs.yml", "batch: 2024-01-01\njobs: [{prompt: a}]\n").header
    assert header is not None
    assert header.name == "2024-01-01"


@pytest.mark.parametrize("name", ["a/b", "''", "-a", "[a]", "a b", "../x", "~"])
def test_a_batch_name_has_rules(read: Read, name: str) -> None:
    line = yaml(read, f"batch: {name}\njobs: [{{prompt: a}}]\n").line
    assert line.startswith("jobs.yaml:1:8: batch must be a name of letters")


def test_ten_problems_are_said_at_once_each_with_its_place(read: Read) -> None:
    reading = yaml(
        read,
        """\
        defaults: {n: 0}
        jobs:
          - id: " x"
            prompt: no
            promt: yes
            size: [1]
            n: "2"
          - {params: 3, references: [a.png, [b]], priority: 1.5}
          - hello
          - {prompt: a, id: b, id: c, continues: x}
        budget: a lot
        """,
    )
    assert reading.lines == [
        "jobs.yaml:11:9: budget must be an amount of USD, 0 or more, such as 25.00; got a lot",
        "jobs.yaml:1:15: n must be a whole number from 1; got 0",
        "jobs.yaml:3:9: id must not begin or end with a blank; got ' x'",
        "jobs.yaml:4:13: prompt must be text: put it in quotes; got no",
        "jobs.yaml:5:5: unknown field 'promt'; did you mean 'prompt'?",
        "jobs.yaml:6:11: size must be text; got a list",
        "jobs.yaml:7:8: n must be a number: write 2 without quotes; got '2'",
        "jobs.yaml:8:14: params must be a mapping of names to values; got 3",
        "jobs.yaml:8:37: references[1] must be a path or an http(s) URL; got a list",
        "jobs.yaml:8:53: priority must be a whole number from -1000000 to 1000000; got 1.5",
        "jobs.yaml:8:5: prompt is missing: every job needs one",
        "jobs.yaml:9:5: a job must be a mapping with a prompt; got 'hello'",
        "jobs.yaml:10:24: 'id' stands twice in one mapping; keep one",
    ]
    assert reading.rows == []


def test_a_wrong_default_is_said_once_and_names_its_own_place(read: Read) -> None:
    reading = yaml(read, "defaults: {size: [], prompt: x}\njobs:\n- prompt: a\n- prompt: b\n")
    assert reading.lines == [
        "jobs.yaml:1:18: size must be text; got a list",
        "jobs.yaml:1:22: unknown field 'prompt'; what only the model knows belongs under `params`",
    ]


def test_mappings_take_defaults_name_by_name_and_other_fields_replace_them(read: Read) -> None:
    draft = yaml(
        read,
        """\
        defaults:
          params: {quality: low, style: vivid}
          extra: {seed: 1, user: u}
          meta: {season: spring, sku: none}
          vars: {colour: white, thing: mug}
          references: [https://example.com/a.png, https://example.com/b.png]
          mask: https://example.com/m.png
          priority: 2
        jobs:
          - prompt: a {colour} {thing}
            quality: high
            extra: {seed: 2}
            meta: {sku: A-1}
            vars: {colour: red}
            references: https://example.com/c.png
        """,
    ).draft
    assert draft.prompt == "a red mug"
    assert draft.params == {"quality": "high", "style": "vivid"}
    assert draft.extra == {"seed": 2, "user": "u"}
    assert draft.meta == {"season": "spring", "sku": "A-1"}
    assert draft.references == ("https://example.com/c.png",)
    assert (draft.mask, draft.priority) == ("https://example.com/m.png", 2)


def test_a_default_variable_need_not_be_used_by_every_job(read: Read) -> None:
    assert yaml(read, "defaults: {vars: {colour: red}}\njobs:\n- prompt: a mug\n").lines == []


def test_a_blank_over_a_default_is_asked_about(read: Read) -> None:
    line = yaml(read, "defaults: {mask: m.png}\njobs:\n- prompt: a\n  mask:\n").line
    assert line == "jobs.yaml:4:8: mask is empty here, but the defaults give it; leave it out or give a value"


def test_places_of_a_draft_lead_to_the_job_or_to_the_defaults(read: Read) -> None:
    [row] = yaml(
        read,
        """\
        defaults: {quality: low, references: [a.png], params: {n: 2}}
        jobs:
          - prompt: a
            params: {size: '1:1'}
            references: b.png
        """,
    ).rows
    assert str(row.places.of(("params", "quality"))) == "jobs.yaml:1:21"
    assert str(row.places.of(("n",))) == "jobs.yaml:1:59"
    assert str(row.places.of(("size",))) == "jobs.yaml:4:20"
    assert str(row.places.of(("references", 0))) == "jobs.yaml:5:17"
    assert str(row.places.of(("mask",))) == "jobs.yaml:3:5"


@pytest.mark.parametrize("word", ["007", "no", "1e3", "12:30", "2024-01-01", "0x1F", "1_000", "=", "1.50", "True"])
def test_text_fields_take_what_the_file_says(read: Read, word: str) -> None:
    draft = yaml(read, f"jobs:\n- {{id: {word}, prompt: a, size: {word}, params: {{size: {word}}}, account: {word}}}\n").draft
    assert (draft.key, draft.size, draft.account) == (word, word, word)


@pytest.mark.parametrize("word", ["no", "5", "1.5e+3", "12:30", "true", "{colour}", "[a]"])
def test_a_prompt_that_yaml_reads_as_something_else_must_be_quoted(read: Read, word: str) -> None:
    assert yaml(read, f"jobs:\n- prompt: {word}\n").lines[0].startswith("jobs.yaml:2:11: prompt must be text: put it in quotes")


def test_variables_are_filled_in_as_the_file_writes_them(read: Read) -> None:
    assert yaml(read, "jobs:\n- {prompt: '{a} {b}', vars: {a: 1.50, b: 007}}\n").draft.prompt == "1.50 007"
    assert yaml(read, "jobs:\n- {prompt: '{a}', vars: {a: no}}\n").line.endswith("put it in quotes; got no")


def test_anchors_and_merge_keys_work_across_header_and_jobs(read: Read) -> None:
    reading = yaml(
        read,
        """\
        defaults: &base {account: studio}
        jobs:
          - &first {id: a, prompt: a mug, params: &params {style: vivid, hd: true}}
          - {<<: *first, id: b, params: {<<: *params, hd: false}}
          - {<<: [{size: '2:3'}, *first], id: 007, size: '1:1'}
          - {prompt: c, meta: *base}
        """,
    )
    assert reading.lines == []
    assert [row.draft.key for row in reading.rows] == ["a", "b", "007", None]
    assert [row.draft.size for row in reading.rows] == [None, None, "1:1", None]
    assert reading.rows[1].draft.params == {"style": "vivid", "hd": False}
    assert reading.rows[3].draft.meta == {"account": "studio"}


def test_an_anchor_of_a_job_may_be_used_below_the_jobs(read: Read) -> None:
    reading = yaml(read, "jobs:\n- {prompt: a, params: &p {style: vivid}}\n- prompt: b\ndefaults: {params: *p}\n")
    assert [row.draft.params for row in reading.rows] == [{"style": "vivid"}] * 2


def test_a_wrong_value_behind_an_alias_is_said_once_where_it_stands(read: Read) -> None:
    reading = yaml(read, "jobs:\n- {prompt: a, params: &p {n: 0}}\n- {prompt: b, params: *p}\n")
    assert reading.line == "jobs.yaml:2:30: params.n must be a whole number from 1; got 0"


def test_an_id_that_came_by_a_merge_key_is_a_second_use_at_the_job_itself(read: Read) -> None:
    reading = yaml(read, "jobs:\n- &a {id: x, prompt: a}\n- {<<: *a, prompt: b}\n")
    assert reading.line == "jobs.yaml:3:3: id 'x' is already used by the job in line 2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "jobs.yaml: the file is empty; it needs `jobs:` with a list below it"),
        ("# nothing\n", "jobs.yaml: the file is empty; it needs `jobs:` with a list below it"),
        (
            "- prompt: a\n",
            "jobs.yaml:1:1: the file must begin with names like `jobs:`, the list of jobs below it; got a list",
        ),
        (
            "hello\n",
            "jobs.yaml:1:1: the file must begin with names like `jobs:`, the list of jobs below it; got a single text",
        ),
        ("batch: a\n", "jobs.yaml: there are no jobs: the file needs `jobs:` with a list below it"),
        ("jobs:\n", "jobs.yaml:1:6: jobs must be a list: begin each job with `- `"),
        ("jobs: {prompt: a}\n", "jobs.yaml:1:7: jobs must be a list: begin each job with `- `"),
        ("jobs: []\n", "jobs.yaml:1:7: jobs is empty: there is nothing to order"),
    ],
)
def test_a_file_without_jobs_cannot_go_on(read: Read, text: str, problem: str) -> None:
    reading = yaml(read, text)
    assert reading.header is None
    assert reading.line == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("job: []", "jobs.yaml:3:1: unknown name 'job'; did you mean 'jobs'?"),
        ("red: 1", "jobs.yaml:3:1: unknown name 'red'; the file has batch, accounts, defaults, budget, weight, silence, jobs"),
        ("jobs: []", "jobs.yaml:3:1: 'jobs' stands twice on the top level; keep one"),
        ("[a]: 1", "jobs.yaml:3:1: a name must be plain text; put text that starts with { or [ in quotes"),
        ("accounts: [a]", "jobs.yaml:3:11: accounts must be a mapping of names to settings; got a list"),
        ("accounts: {a: 1}", "jobs.yaml:3:15: account 'a' must be a mapping like {provider: openai}; got 1"),
        ("defaults: 3", "jobs.yaml:3:11: defaults must be a mapping of fields to values; got 3"),
        ("---\nb: 1", "jobs.yaml:3:1: a second YAML document begins here; a batch file has only one"),
    ],
)
def test_a_wrong_top_level_is_reported_beside_the_jobs(read: Read, text: str, problem: str) -> None:
    reading = yaml(read, f"jobs:\n- prompt: a\n{text}\n")
    assert len(reading.rows) == 1
    assert reading.line == problem


def test_empty_accounts_and_defaults_say_nothing(read: Read) -> None:
    assert yaml(read, "accounts:\ndefaults:\njobs: [{prompt: a}]\n").lines == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- prompt: a: b\n", "3:12: this is not valid YAML: a colon cannot stand here"),
        ("- prompt: a\n\tn: 1\n", "4:1: this is not valid YAML: indent with spaces, not tabs"),
        ("- prompt: @a\n", "3:11: this is not valid YAML: no value can start here"),
        ("- prompt: {colour} mug\n", "3:20: this is not valid YAML: this fits neither the line above"),
        ("- prompt: 'a\n", "4:1: this is not valid YAML: the file ends inside a quoted text"),
        ("- {prompt: a\n- b\n", "5:1: this is not valid YAML: a mapping in { } needs a comma"),
        ("- prompt: a\x07b\n", "3:12: the character U+0007 is not allowed in YAML; take it out"),
        ("- prompt: a\x00b\n", "3:12: the character U+0000 is not allowed in YAML; take it out"),
        ("- prompt: *nobody\n", "3:11: *nobody has no anchor &nobody above it"),
        ("- {prompt: a, meta: &m {again: *m}}\n", "3:32: *m stands inside its own anchor"),
        ("- {prompt: &a x, meta: &a {}}\n", "3:24: the anchor &a is defined twice; give each its own name"),
    ],
)
def test_a_syntax_error_is_one_problem_and_what_stands_before_it_is_read(read: Read, text: str, problem: str) -> None:
    reading = yaml(read, "jobs:\n- {prompt: first}\n" + text)
    assert reading.line.startswith(f"jobs.yaml:{problem}")
    assert [row.draft.prompt for row in reading.rows][:1] in (["first"], [])


def test_a_syntax_error_far_down_leaves_the_problems_above_it(read: Read) -> None:
    jobs = "".join(f"- {{prompt: a{number}, n: {number % 2}}}\n" for number in range(4000))
    reading = yaml(read, "jobs:\n" + jobs + "- prompt: a: b\n")
    assert reading.lines[0].startswith("jobs.yaml:4002:12: this is not valid YAML")
    assert reading.lines[1] == "jobs.yaml:2:19: n must be a whole number from 1; got 0"
    assert len(reading.rows) == 2000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_told_by_its_byte_order_mark(read: Read, encoding: str) -> None:
    assert read("jobs.yaml", "jobs:\n- prompt: été\n".encode(encoding)).draft.prompt == "été"


def test_another_encoding_must_be_named(read: Read) -> None:
    content = "jobs:\n- prompt: été\n".encode("cp1252")
    line = read("jobs.yaml", content).line
    assert line.startswith("jobs.yaml:2:11: this is not UTF-8: save it as UTF-8 or name its encoding")
    assert read("jobs.yaml", content, "cp1252").draft.prompt == "été"
    assert read("jobs.yaml", content, "ascii").line.startswith("jobs.yaml:2: this line is not ASCII")


def test_columns_count_characters_not_bytes(read: Read) -> None:
    assert yaml(read, "jobs:\n- {prompt: été 👩‍🎨, n: 0}\n").line.startswith("jobs.yaml:2:24: n must be")


def test_an_unknown_tag_is_a_problem_of_its_job_alone(read: Read) -> None:
    reading = yaml(read, "jobs:\n- {prompt: a, meta: {x: !foo b, y: !!set {c}}}\n- {prompt: b, n: 0}\n")
    assert reading.lines == [
        "jobs.yaml:2:25: the tag '!foo' is not supported; leave it out",
        "jobs.yaml:2:36: the tag '!!set' is not supported; leave it out",
        "jobs.yaml:3:18: n must be a whole number from 1; got 0",
    ]
    assert reading.rows == []


def test_a_few_bytes_that_stand_for_gigabytes_are_refused(read: Read) -> None:
    levels = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    reading = yaml(read, "jobs:\n- prompt: a\n  meta:\n" + "    l0: &l0 [x]\n" + levels.replace("  l", "    l"))
    assert reading.line.endswith("the aliases of this file stand for too much; write it out or use JSONL")


@pytest.mark.parametrize(
    "text", ['"' + "x y " * 1_400_000, "x" * 5_600_000, "|\n" + "      x\n" * 700_000, "# " + "x" * 5_600_000]
)
def test_a_text_longer_than_any_job_needs_stops_the_reading_where_it_begins(read: Read, text: str) -> None:
    reading = yaml(read, "jobs:\n- {prompt: first}\n- prompt: a\n  meta:\n    x: " + text)
    line = next(line for line in reading.lines if "longer than 4 MiB" in line)
    assert line.startswith("jobs.yaml:5:5: ")


def test_texts_up_to_four_mebibytes_are_read(read: Read) -> None:
    text = "x y " * (1 << 20)
    assert yaml(read, f"jobs:\n- prompt: {text}\n").draft.prompt == text.strip()


def test_many_jobs_may_share_one_anchor(read: Read) -> None:
    jobs = "".join(f"- {{<<: *base, id: j{number}}}\n" for number in range(3000))
    text = "defaults: {params: &base {style: a, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9}}\njobs:\n"
    reading = yaml(read, text + jobs.replace("<<: *base,", "prompt: x, params: {<<: *base},"))
    assert reading.lines == []
    assert len(reading.rows) == 3000


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("{<<: ", "}")])
@pytest.mark.parametrize("depth", [51, 900])
def test_deep_nesting_is_refused(read: Read, opening: str, closing: str, depth: int) -> None:
    reading = yaml(read, f"jobs:\n- prompt: a\n  meta: {opening * depth}x{closing * depth}\n")
    assert reading.line.endswith("lists and mappings lie more than 50 deep in each other")


def test_without_libyaml_the_same_is_read(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.batchfile.yaml_events._Loader", SafeLoader)
    text = "defaults: &d {n: 2}\njobs:\n- {prompt: été, params: {<<: *d, style: vivid}}\n"
    draft = read("jobs.yaml", text.encode("utf-16")).draft
    assert (draft.prompt, draft.n, draft.params) == ("été", 2, {"style": "vivid"})
    assert read("jobs.yaml", text + "- prompt: a: b\n").line.startswith("jobs.yaml:4:12: this is not valid YAML: ")
    assert read("jobs.yaml", text + "- \x07\n").line.endswith("the character U+0007 is not allowed in YAML; take it out")


@pytest.mark.parametrize(("written", "budget"), [("25.10", "25.10"), ("7", "7"), ("'0.5'", "0.5"), ("", None), ("null", None)])
def test_a_budget_is_read_as_it_is_written(read: Read, written: str, budget: str | None) -> None:
    reading = yaml(read, f"budget: {written}\njobs: [{{prompt: a}}]\n")
    assert reading.header is not None
    assert reading.header.budget == (None if budget is None else Decimal(budget))

"""The composer against PyYAML's own: where both accept a document, they agree.

Three differences are wanted: dates stay text, names are text as written, and what JSON cannot carry is refused.
"""

import io
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml.events import StreamEndEvent

from orchestrator.batchfile.problems import Problems
from orchestrator.batchfile.yaml_events import Events
from orchestrator.batchfile.yaml_values import Composer, Notes

from .reading import steady

REFUSED = object()


def composed(text: str) -> Any:
    """Return the only document of a text as we read it, or REFUSED."""
    problems = Problems()
    composer = Composer(iter(Events(io.BytesIO(text.encode()))), "a.yaml", problems)
    try:
        composer.next()
        if type(composer.next()) is StreamEndEvent:
            return None
        value = composer.node(composer.next(), (), Notes())
        composer.next()
        is_single = type(composer.next()) is StreamEndEvent
    except yaml.YAMLError:
        return REFUSED
    return value if is_single and not problems.errors else REFUSED


def loaded(text: str) -> Any:
    """Return the document as PyYAML reads it, or REFUSED."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, LookupError):
        return REFUSED


def alike(value: Any) -> Any:
    """Return a value in a form that tells 1 from True and 1.0, whatever the order of names."""
    if isinstance(value, dict):
        return sorted((name, alike(found)) for name, found in value.items())
    return [alike(found) for found in value] if isinstance(value, list) else repr(value)


def is_json(value: Any) -> bool:
    """Say whether a value is free of dates, names that are no text, and numbers that JSON does not have."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_json(found) for name, found in value.items())
    if isinstance(value, list):
        return all(is_json(found) for found in value)
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and abs(value) < float("inf"))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@steady
@given(json_values, st.sampled_from([None, "'", '"', "|", ">"]), st.booleans(), st.sampled_from([20, 80, 10_000]))
def test_whatever_pyyaml_writes_is_read_as_pyyaml_reads_it(value: Any, style: str | None, flow: bool, width: int) -> None:
    text = yaml.dump(value, default_style=style, default_flow_style=flow, allow_unicode=True, width=width)
    assert alike(composed(text)) == alike(loaded(text))


@steady
@given(json_values, json_values)
def test_shared_values_come_back_through_their_anchors(one: Any, other: Any) -> None:
    value = {"first": one, "again": [one, other, one], "third": {"other": other}}
    text = yaml.dump(value, sort_keys=False)
    assert alike(composed(text)) == alike(loaded(text))


@pytest.mark.parametrize(
    "text",
    [
        "{a: yes, b: No, c: on, d: OFF, e: y, f: n}",
        "[~, null, Null, NULL, '', ]",
        "[1, -1, +1, 0, 007, 0o7, 0x1F, 0b11, 1_000, 190:20:30, 12:30, -0]",
        "[1.5, -1.5, .5, 1., 1e3, 1.0e+3, 1.5e3, 1_0.5, 190:20:30.15]",
        "[!!str 5, !!int '5', !!float 3, !!bool 'yes', !!null '', ! 7, ! '7']",
        "[!!map {a: 1}, !!seq [1]]",
        "a: |\n  one\n  two\nb: >-\n  one\n  two\nc: |+\n  x\n\n",
        "a: 'it''s'\nb: \"\\u00e9\\n\\x41\"\n",
        "? a\n: b\n? c\n",
        "a:\n- 1\n- - 2\n  - 3\n- {b: c}\n",
        "a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]\n",
        "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: {c: 3, <<: *x}\n",
        "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\nf: {<<: [*y, *x], d: 4}\n",
        "a: &x {b: 1}\nc: &y {<<: *x, d: 3}\ne: {<<: *y, f: [*x, *y]}\n",
        "a: {<<: {b: 1}, c: 2}",
        "a: {'<<': 1}",
        "a: &x 5\nb: *x\nc: &k key\n",
        "&top {a: &x 1, b: [*x]}",
        "a: b # comment\n# another\nc: 'd # no comment'\n",
        "%YAML 1.1\n---\na: 1\n...\n",
        "a: http://example.com:80/x\nb: a:b\nc: -x\nd: '- x'\n",
    ],
)
def test_odd_documents_are_read_as_pyyaml_reads_them(text: str) -> None:
    assert alike(composed(text)) == alike(loaded(text))


MARKS = ["a", "b", "1", "0x1", "12:30", "no", "~", "1.5", "é", "=", "%", "#", "{", "}", "[", "]", "'", '"', "\\"]
WORDS = [*MARKS, " ", "\n", "\n  ", "\n    ", "\t", "- ", ": ", "? ", ", ", "|\n", ">-\n", "--- ", "...\n"]
WORDS += ["&x ", "*x ", "&y ", "*y ", "<<: ", "!!str ", "!!int ", "!!bool "]


@steady
@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
def test_on_any_heap_of_yaml_words_both_agree_or_one_refuses(text: str) -> None:
    ours, theirs = composed(text), loaded(text)
    if ours is not REFUSED and theirs is not REFUSED and is_json(theirs):
        assert alike(ours) == alike(theirs)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{d: 2024-01-01, t: 2024-13-45}", {"d": "2024-01-01", "t": "2024-13-45"}),
        ("{1: a, no: b, 2024-01-01: c, ~: d}", {"1": "a", "no": "b", "2024-01-01": "c", "~": "d"}),
        ("{a: =}", {"a": "="}),
    ],
)  # fmt: skip
def test_dates_and_names_stay_as_they_are_written(text: str, value: Any) -> None:
    assert composed(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1, a: 2}", "{a: .nan}", "{a: -.inf}", "{a: 0x_}", "{a: !!binary aGk=}", "!!set {a, b}",
        "{a: !python/none x}", "{a: !!timestamp 2024-01-01}", "{<<: 3}", "{<<: [{a: 1}, 2]}", "{<<: {a: 1}, <<: {b: 2}}",
        "{{a: b}: c}", "{[a]: c}",
        "&a [*a]", "[*a]", "[&a 1, &a 2]", "{a: !!int x}", "{a: !!int ''}", "{a: !!bool maybe}", "{a: !!float x}",
    ],
)  # fmt: skip
def test_what_a_batch_cannot_use_is_refused(text: str) -> None:
    assert composed(text) is REFUSED

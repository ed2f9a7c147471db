import string

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.batchfile.prompts import fill

from .reading import steady


def test_placeholders_are_filled_and_double_braces_are_braces() -> None:
    filled = fill("a {colour} mug, {{not this}}", {"colour": "white"})
    assert filled.text == "a white mug, {not this}"
    assert filled.used == {"colour"}
    assert filled.unknown == ()
    assert not filled.stray


def test_a_placeholder_may_stand_inside_braces() -> None:
    assert fill("{{{colour}}}", {"colour": "white"}).text == "{white}"


def test_braces_in_a_value_mean_nothing() -> None:
    assert fill("a {x}", {"x": "{y} {{"}).text == "a {y} {{"


def test_every_unknown_placeholder_is_named_once_in_order() -> None:
    assert fill("{b} {a} {b} {c}", {"c": "1"}).unknown == ("b", "a")


def test_single_braces_are_noticed() -> None:
    assert fill("a { b", {}).stray
    assert fill("a } b", {}).stray
    assert not fill("{{ }}", {}).stray


@steady
@given(st.text(alphabet=string.printable))
def test_a_text_with_its_braces_doubled_comes_back_as_it_was(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert fill(doubled, {}).text == text


@steady
@given(st.text(), st.text())
def test_any_text_can_be_put_in(before: str, value: str) -> None:
    doubled = before.replace("{", "{{").replace("}", "}}")
    assert fill(doubled + "{x}", {"x": value}).text == before + value

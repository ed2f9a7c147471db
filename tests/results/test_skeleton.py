import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.skeleton import JsonOutline, Outline

NONCE = "0123456789abcdef"
MARKER = re.compile(rf"spool:{NONCE}:(\d+):(\d+)")

texts = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\/\b\n')), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.just("QUJD" * 30) | st.just('\\"' * 30) | st.just("spool:1:2"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def outlined(body: bytes, cuts: list[int], *, longest: int = 16) -> bytes:
    outline = JsonOutline(NONCE, longest=longest)
    borders = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(borders):
        outline.feed(body[start:end])
    return outline.finish()


def restored(value: object, body: bytes) -> object:
    if isinstance(value, str) and (marker := MARKER.fullmatch(value)):
        offset, length = int(marker[1]), int(marker[2])
        return json.loads(b'"' + body[offset : offset + length] + b'"')
    if isinstance(value, list):
        return [restored(item, body) for item in value]
    if isinstance(value, dict):
        return {restored(name, body): restored(item, body) for name, item in value.items()}
    return value


@given(value=values, cuts=st.lists(st.integers(min_value=0), max_size=8), ascii_only=st.booleans(), indent=st.none() | st.just(1))
def test_outline_and_ranges_together_are_the_answer(value: object, cuts: list[int], ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    outline = outlined(body, cuts)
    assert restored(json.loads(outline), body) == json.loads(body)
    strings = re.findall(rb'"((?:[^"\\]|\\.)*)"', outline, re.DOTALL)
    assert all(len(string) <= 16 or MARKER.fullmatch(string.decode()) for string in strings)


@given(body=st.binary(max_size=200), cuts=st.lists(st.integers(min_value=0), max_size=8))
def test_the_outline_does_not_depend_on_where_the_network_cut(body: bytes, cuts: list[int]) -> None:
    assert outlined(body, cuts) == outlined(body, [])


@given(body=st.binary(max_size=200), cuts=st.lists(st.integers(min_value=0), max_size=8))
def test_a_body_without_long_strings_is_its_own_outline(body: bytes, cuts: list[int]) -> None:
    assert outlined(body, cuts, longest=1000) == body


@pytest.mark.parametrize("length", [8 << 10, (8 << 10) + 1])
def test_a_string_stays_up_to_8_kib(length: int) -> None:
    body = json.dumps({"b64_json": "A" * length}).encode()
    outline = Outline(NONCE, declared_json=True)
    outline.feed(body)
    told = json.loads(outline.finish())["b64_json"]
    assert told == ("A" * length if length <= 8 << 10 else f"spool:{NONCE}:14:{length}")


def test_a_body_that_begins_like_json_is_read_as_json_whatever_its_type() -> None:
    outline = Outline(NONCE, declared_json=False)
    for piece in (b"\xef\xbb\xbf", b" \n", b'{"a": "', b"A" * 9000, b'"}'):
        outline.feed(piece)
    assert MARKER.fullmatch(json.loads(outline.finish())["a"])


def test_a_body_that_is_no_json_is_kept_up_to_1_mib() -> None:
    outline = Outline(NONCE, declared_json=False)
    for _ in range(3):
        outline.feed(b'<p class="' + b"x" * (1 << 19))
    assert len(outline.finish()) == 1 << 20


def test_an_answer_cut_within_a_string_does_not_parse() -> None:
    outline = outlined(b'{"b64_json": "' + b"A" * 100, [])
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(outline)


def test_white_space_alone_is_kept_as_it_is() -> None:
    outline = Outline(NONCE, declared_json=False)
    outline.feed(b" \n")
    assert outline.finish() == b" \n"


def test_an_endless_mass_of_small_strings_ends_the_outline_not_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.results.skeleton.MAX_OUTLINE", 1000)
    outline = outlined(b"[" + b'"aaaa",' * 1000 + b"0]", [])
    assert len(outline) == 1000

import base64
import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.skeleton import Outline

NONCE = "0123456789abcdef"
MARKER = re.compile(rf"spool:{NONCE}:(\d+):(\d+)".encode())
LONGEST = 128
"""As small as the scanner allows, so that small bodies have long runs."""

runs = st.sampled_from([
    "QUJD" * 50,
    "A" * LONGEST,
    "A" * (LONGEST + 1),
    "iVBOR/w0+" * 40,
    "\n".join(["QUJD" * 19] * 9),
    "QUJD" * 50 + "\nDownload",
    "![mug](data:image/png;base64," + "QUJD" * 60 + ") and [here](https://x.example/a.png)",
    '\\"' * 90,
    "spool:1:2",
])  # fmt: skip
texts = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\/\b\n+=')), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | runs,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
cuts = st.lists(st.integers(min_value=0), max_size=8)


def outlined(body: bytes, cuts: list[int], *, longest: int = LONGEST) -> bytes:
    outline = Outline(NONCE, longest=longest)
    borders = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(borders):
        outline.feed(body[start:end])
    return outline.finish()


def restored(outline: bytes, body: bytes) -> bytes:
    return MARKER.sub(lambda marker: body[int(marker[1]) : int(marker[1]) + int(marker[2])], outline)


def told(value: Any, **form: Any) -> Any:
    return json.loads(outlined(json.dumps(value, **form).encode(), []))


@given(value=values, cuts=cuts, ascii_only=st.booleans(), indent=st.none() | st.just(1), php=st.booleans())
def test_outline_and_ranges_together_are_the_answer(
    value: object, cuts: list[int], ascii_only: bool, indent: int | None, php: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    body = (text.replace("/", "\\/") if php else text).encode("utf-8", "surrogatepass")
    outline = outlined(body, cuts)
    json.loads(outline)
    assert restored(outline, body) == body
    assert all(len(run) <= LONGEST for run in re.findall(rb"[A-Za-z0-9+/=_-]+", outline))


@given(body=st.binary(max_size=200) | st.binary(max_size=200).map(base64.b64encode), cuts=cuts)
def test_the_outline_does_not_depend_on_where_the_network_cut(body: bytes, cuts: list[int]) -> None:
    assert outlined(body, cuts) == outlined(body, [])


@given(value=values, cuts=cuts)
def test_nor_does_it_in_json_with_escapes(value: object, cuts: list[int]) -> None:
    body = json.dumps(value).encode()
    assert outlined(body, cuts) == outlined(body, [])


@given(body=st.binary(max_size=200), cuts=cuts)
def test_a_body_without_long_runs_is_its_own_outline(body: bytes, cuts: list[int]) -> None:
    assert outlined(body, cuts, longest=1000) == body


@pytest.mark.parametrize("length", [8 << 10, (8 << 10) + 1])
def test_a_run_stays_up_to_8_kib(length: int) -> None:
    outline = Outline(NONCE)
    outline.feed(json.dumps({"b64_json": "A" * length}).encode())
    found = json.loads(outline.finish())["b64_json"]
    assert found == ("A" * length if length <= 8 << 10 else f"spool:{NONCE}:14:{length}")


def test_text_around_a_data_url_stays_and_so_does_its_prefix() -> None:
    content = f"生成完成\n![mug](data:image/png;base64,{'QUJD' * 90})\n\n[下载](https://x.example/a.png?{'k=v&' * 90})"
    found = told({"content": content})["content"]
    assert re.sub(r"spool:\w+:\d+:360", "HERE", found) == content.replace("QUJD" * 90, "HERE")


def test_a_text_that_is_only_long_is_nobodys_base64() -> None:
    text = "a mug on a table, " * 100
    assert told({"revised_prompt": text})["revised_prompt"] == text


@pytest.mark.parametrize("broken", ["\n", "\r\n"])
def test_base64_in_lines_is_one_run(broken: str) -> None:
    text = broken.join([*["QUJD" * 19] * 20, "QUI="])
    assert re.fullmatch(rf"spool:{NONCE}:\d+:\d+", told([text])[0])


def test_text_on_the_next_line_is_not_taken_for_base64() -> None:
    assert told(["data:image/png;base64," + "QUJD" * 90 + "\nDownload"])[0].endswith(":360\nDownload")


@pytest.mark.parametrize("escape", ["\\/", "\\u002b", "\\u002F", "\\u003d"])
def test_escaped_base64_is_one_run(escape: str) -> None:
    body = b'["' + (("QUJD" * 10 + escape) * 10).encode() + b'"]'
    assert re.fullmatch(rb'\["spool:\w+:2:\d+"\]', outlined(body, list(range(len(body)))))


def test_the_events_of_a_stream_are_read_alike() -> None:
    event = json.dumps({"b64_json": "QUJD" * 90})
    outline = outlined(f"event: image\ndata: {event}\n\ndata: {event}\n\ndata: [DONE]\n\n".encode(), [])
    assert len(MARKER.findall(outline)) == 2
    assert outline.endswith(b'"}\n\ndata: [DONE]\n\n')


def test_an_answer_cut_within_a_string_does_not_parse() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(outlined(b'{"b64_json": "' + b"A" * 300, []))


def test_an_endless_mass_of_small_words_ends_the_outline_not_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.results.skeleton.MAX_OUTLINE", 1000)
    assert len(outlined(b"[" + b'"aaaa",' * 1000 + b"0]", [])) == 1000

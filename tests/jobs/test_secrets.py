"""Keys are not printed, not stored, not taken for something else; and what is no key stays readable."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.secrets import Redactor, Secret, holds_a_key, looks_like_a_key, redacted, without_query

KEY = "tt-4711-secret/value+1"
REDACT = Redactor([Secret(KEY)])


def test_a_secret_is_not_printed() -> None:
    secret = Secret("sk-very-secret-key")
    assert "very" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "sk-very-secret-key"


def test_known_keys_and_key_like_words_and_signed_queries_are_taken_out() -> None:
    redact = Redactor([Secret("tt-4711-secret")])
    text = redact(
        "Incorrect key tt-4711-secret or sk-abcdef123456, header Bearer abcdefgh1234; see https://f.example/x.png?sig=abc&se=1"
    )
    for hidden in ("4711", "abcdef123456", "abcdefgh1234", "sig=abc"):
        assert hidden not in text
    assert "https://f.example/x.png?***" in text


@given(st.text(alphabet="abcXYZ019-_", min_size=6), st.text(), st.text())
def test_no_surrounding_hides_a_key_from_the_filter(key: str, before: str, after: str) -> None:
    assert key not in Redactor([Secret(key)])(before + key + after)


def test_a_url_is_cut_at_its_query() -> None:
    assert without_query("https://f.example/x.png?sig=abc") == "https://f.example/x.png"


def test_a_secret_cannot_be_written_to_a_file_or_sent_to_a_process() -> None:
    for carry in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            carry(Secret(KEY))


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect key {KEY}!",
        "https://u.example/tt-4711-secret%2Fvalue%2B1/x",
        f'{{"key": "{KEY[:12]}',  # a message that was cut
        f"'TT-API-KEY': '{KEY}'",
        f"{KEY}{KEY}",
    ],
)
def test_a_known_key_is_hidden_whole_in_parts_and_escaped(text: str) -> None:
    assert "4711" not in REDACT(text)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("headers={'TT-API-KEY': 'f00-ba4'}", "f00-ba4"),
        ('{"api_key":"f00-ba4"}', "f00-ba4"),
        ("api-key=f00-ba4&x=1", "f00-ba4"),
        ("proxy http://user:pass@proxy.example:3128 failed", "pass"),
        ("GET https://f.example/x.png?sig=abc#top", "sig=abc"),
        ("AIza" + "a1" * 17 + "b", "a1a1"),
        ("AKIA" + "A1" * 8, "A1A1"),
    ],
)
def test_keys_nobody_told_us_of_are_hidden_by_their_form_and_their_name(text: str, hidden: str) -> None:
    assert hidden not in REDACT(text)


@pytest.mark.parametrize(
    "text",
    [
        "a desk-organizer, a task-management board and a mask-wearing crowd",
        "a flag bearer standing tall",
        "see https://example.com/a/b.png",
        "accounts.studio.api_key_env must name a variable; got 3",
        "its key is missing; set the environment variable OPENAI_API_KEY",
        "mail me@example.com at 12:30",
    ],
)
def test_what_is_no_key_stays_readable(text: str) -> None:
    assert REDACT(text) == text
    assert not holds_a_key(text)


@pytest.mark.parametrize("text", ["sk-proj-abcdefgh12345678", "Bearer eyJhbGciOiJIUzI1NiJ9", "a mug, r8_" + "a" * 37])
def test_a_key_in_a_prompt_is_told_for_certain(text: str) -> None:
    assert holds_a_key(text)
    assert looks_like_a_key(text)


def test_every_text_of_a_json_value_is_cleaned_and_nothing_else_is_touched() -> None:
    usage = {"images": 2, "note": KEY, KEY: [None, 1.5, True, {"deep": f"x {KEY}"}]}
    assert redacted(usage, REDACT) == {"images": 2, "note": "***", "***": [None, 1.5, True, {"deep": "x ***"}]}
    assert redacted(None, REDACT) is None

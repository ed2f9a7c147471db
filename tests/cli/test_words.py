from decimal import Decimal

import pytest

from orchestrator.cli.event_words import as_json, json_line, log_line, opening, stake
from orchestrator.cli.words import brief, harmless, listed, money, money_and_unknown
from orchestrator.engine.news import Event


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2066x\u2069\u200f", r"\u2066x\u2069\u200f"),
        ("\x9b2J", r"\x9b2J"),
        ("\ud800", r"\ud800"),
        ("世界 Grüße नमस्ते", "世界 Grüße नमस्ते"),
        ("👩\u200d🎨", "👩\u200d🎨"),
    ],
)
def test_what_could_trick_a_terminal_is_escaped_and_all_scripts_stay(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_long_text_is_cut() -> None:
    assert brief("x" * 500, 10) == "x" * 9 + "…"
    assert brief("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("amount", "shown"), [("0", "$0.00"), ("0.42", "$0.42"), ("0.005", "$0.0050"), ("12", "$12.00"), ("0.00001", "$0.0001")]
)
def test_money_is_never_shown_as_less_than_it_is(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


def test_unknown_money_is_said_beside_what_is_known() -> None:
    assert money_and_unknown(Decimal("0.42"), 3) == "$0.42 (+3 unpriced)"
    assert money_and_unknown(Decimal(0), 3) == "3 unpriced"
    assert stake(Decimal("1.2"), 3) == "at most $1.20, 3 of unknown price"


def test_a_long_list_names_the_first_and_counts_the_rest() -> None:
    assert listed(range(7), 3) == "0, 1, 2 and 4 more"


def test_an_event_is_one_line_with_its_keys() -> None:
    event = Event(
        name="job_failed", time=0.0, batch="b", key='mug "1"', facts={"code": "refused", "message": "no\nway", "cost": None}
    )
    assert log_line(event)[9:] == """job_failed key="mug '1'" code=refused message="no\\nway" batch=b"""


def test_an_event_as_json_has_money_as_text_and_nothing_beyond_ascii() -> None:
    event = Event(name="job_ready", time=0.5, batch="b", key="世", facts={"cost": Decimal("0.10"), "images": 1})
    assert json_line(as_json(event)) == (
        r'{"event": "job_ready", "time": "1970-01-01T00:00:00.500Z", "batch": "b", "key": "\u4e16", "cost": "0.10", "images": 1}'
    )


def test_what_is_kept_replaced_or_gone_is_said_when_a_batch_is_stored() -> None:
    facts = {"added": 1, "known": 2, "gone": 1, "kept": ["a"], "replaced": ["b", "c"]}
    assert opening(Event(name="batch_stored", time=0.0, facts=facts)) == (
        "1 new job stored; 2 jobs known already; 1 job no longer in the file and not sent; "
        "changed in the file, kept as stored: a; replaced: b, c"
    )

"""How values are said to a person, and how text from outside is made harmless on a terminal."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from orchestrator.jobs.lifecycle import State

LONGEST_MESSAGE = 160
"""Characters of a provider's message or a prompt that one line shows."""

STATE_WORDS: Mapping[State, str] = {
    State.BLOCKED: "blocked",
    State.PENDING: "waiting",
    State.SUBMITTING: "being sent",
    State.RUNNING: "at work",
    State.READY: "to download",
    State.DOWNLOADING: "downloading",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.EXPIRED: "expired",
    State.UNCERTAIN: "uncertain",
    State.CANCELLED: "cancelled",
}

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the writing direction, break lines or show nothing."""
_JOINERS = "\u200c\u200d"
"""Invisible, but part of words in several scripts and of emoji."""
_SMALLEST_SHOWN = Decimal("0.0001")
_CENT = Decimal("0.01")


def harmless(text: str) -> str:
    """Return text on one line, with control, direction and other invisible characters escaped (reliability.md d.3)."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _ESCAPED and character not in _JOINERS
        else character
        for character in text
    )


def brief(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return harmless text of at most `longest` characters."""
    safe = harmless(text[: longest + 1])
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def money(amount: Decimal) -> str:
    """Return USD with two to four digits after the point, rounded up: never shown as less than it is."""
    cents = amount.quantize(_CENT, ROUND_CEILING)
    exact = amount.quantize(_SMALLEST_SHOWN, ROUND_CEILING)
    return f"${cents}" if exact == cents else f"${exact}"


def rounded_down(amount: Decimal) -> str:
    """Return USD with two to four digits after the point: what may be spent, never shown as more than it is."""
    return money(amount.quantize(_SMALLEST_SHOWN, ROUND_FLOOR))


def money_and_unknown(amount: Decimal, unknown: int) -> str:
    """Return USD and how many amounts nobody knows: `$0.42 (+3 unpriced)`; no `$0.00` where nothing at all is known."""
    if not unknown:
        return money(amount)
    return f"{money(amount)} (+{unknown} unpriced)" if amount else f"{unknown} unpriced"


def states_in_order(states: Mapping[State, int]) -> Sequence[tuple[State, int]]:
    """Return the states that have jobs, in the order of a job's life."""
    return [(state, states[state]) for state in State if states.get(state)]


def state_counts(states: Mapping[State, int]) -> str:
    """Return jobs per state in the order of a job's life: `7 succeeded, 1 failed`."""
    return ", ".join(f"{count} {STATE_WORDS[state]}" for state, count in states_in_order(states))


def listed(items: Iterable[object], most: int = 5) -> str:
    """Return the first few items and how many more there are."""
    texts = [harmless(str(item)) for item in items]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def time_of_day(moment: float) -> str:
    """Return Unix seconds as local time, `12:00:03`."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%H:%M:%S")


def day_and_time(moment: float) -> str:
    """Return Unix seconds as local date and time, `2026-01-31 12:00:03`."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")

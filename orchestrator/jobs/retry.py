"""When to try again: pure decisions from a count, a header and randomness."""

import itertools
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from random import Random

import backoff

LONGEST_STEP = 60.0
"""Seconds: where the doubling of waits ends."""
JITTER = 1.3
"""Waits are stretched by a factor from 1 to this, never shortened."""
LONGEST_ADVICE = 3600.0
"""Seconds: a provider that asks for a longer wait gets its account paused instead."""


def _steps() -> tuple[float, ...]:
    generator = backoff.expo(base=2, factor=1, max_value=LONGEST_STEP)
    next(generator)  # backoff primes its generators with one empty value
    return tuple(itertools.islice(generator, 8))


STEPS = _steps()
"""1, 2, 4, 8, 16, 32, 60, 60 seconds."""


def wait_after(streak: int, random: Random, retry_after: float | None = None) -> float:
    """Return the seconds to wait after the `streak`-th failure in a row (from 1): never less than the provider asks."""
    step = STEPS[min(streak, len(STEPS)) - 1] * random.uniform(1.0, JITTER)
    return max(step, retry_after or 0.0)


def advised_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds a provider asks to wait, or None; `headers` with lower-case names, `now` in Unix seconds.

    `retry-after-ms` goes before `retry-after`, which is seconds or an HTTP date (RFC 9110 10.2.3; providers.md 5.1).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None  # a header nobody can read advises nothing; our own steps still apply


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None


def poll_interval(polls: int, *, first: float, longest: float, random: Random) -> float:
    """Return the seconds until the next poll of a task that was asked `polls` times and was not finished."""
    return min(longest, first * 1.5**polls) * random.uniform(0.85, 1.15)

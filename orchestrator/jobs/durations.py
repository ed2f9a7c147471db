"""Durations as users write them."""

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def seconds(text: str | float) -> float:
    """Return the seconds meant by `90s`, `30m`, `2h`, `7d`, or a bare number; raise ValueError for anything else."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        number, unit = float(text), "s"
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", str(text))
        if match is None:
            raise ValueError(f"{text!r} is no duration; write 90s, 30m, 2h or 7d")
        number, unit = float(match[1]), match[2] or "s"
    if number < 0:
        raise ValueError(f"{text!r} is negative; a duration is not")
    return number * _UNITS[unit]


def size_in_bytes(text: str | int) -> int:
    """Return the bytes meant by `200MiB`, `1GB` or a bare number; raise ValueError for anything else."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    if match is None or match[2].lower() not in _SIZES:
        raise ValueError(f"{text!r} is no size; write 200MiB or 1GiB")
    return int(float(match[1]) * _SIZES[match[2].lower()])


def human(duration: float) -> str:
    """Return a duration in seconds as a person says it: `0:42`, `12:05`, `3:07:11`."""
    whole = max(0, round(duration))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"

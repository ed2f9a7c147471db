"""File names made of job keys: readable, safe on every system, never the same for two keys that differ beyond letter case."""

import hashlib
import unicodedata
from functools import lru_cache

MAX_CHARACTERS = 80
MAX_BYTES = 200
"""Of UTF-8: leaves room for index, suffix and extension under the usual limit of 255."""

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{device}{digit}" for device in ("com", "lpt") for digit in "123456789¹²³"}
)
_HASH_LENGTH = 8


@lru_cache(maxsize=1024)
def safe_name(key: str) -> str:
    """Return `key` as a file name without extension: NFC, letters and digits of any script, `._-` (design.md section 7).

    A key that is safe already stays as it is. Any other gets the first 8 hex digits of its SHA-256, so that keys which differ
    only in what was replaced stay apart. Names equal but for letter case are for the caller to notice (`str.casefold`).
    """
    wanted = "".join(letter if _kept(letter) else "-" for letter in unicodedata.normalize("NFC", key))
    wanted = _cut(wanted.strip(".-"), MAX_CHARACTERS, MAX_BYTES)
    if wanted == key and key and not _is_reserved(key):
        return key
    room = _HASH_LENGTH + 1
    readable = _cut(wanted, MAX_CHARACTERS - room, MAX_BYTES - room).rstrip(".-") or "unnamed"
    if _is_reserved(readable):
        readable = f"name-{readable}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}-{digest[:_HASH_LENGTH]}"


def _is_reserved(name: str) -> bool:
    """Whether Windows takes the name for a device, which it does whatever stands behind the first dot."""
    return name.partition(".")[0].casefold() in _RESERVED


def _kept(letter: str) -> bool:
    """Combining marks are kept: without them many scripts cannot be read."""
    return letter in "._-" or unicodedata.category(letter)[0] in "LMN"


def _cut(text: str, characters: int, size: int) -> str:
    return text[:characters].encode()[:size].decode("utf-8", "ignore")

"""Keys that an answer repeats are blotted out as it arrives: what is spooled, parsed and stored of it never has them."""

from functools import lru_cache
from urllib.parse import quote

from orchestrator.jobs.secrets import Secret

_SHORTEST = 16
"""Characters: a shorter key could stand in the base64 of an image by chance, and blotting it out would spoil what is paid for."""


class Blotter:
    """Blots one key out of one answer, byte for byte, so that lengths stay as they were announced."""

    def __init__(self, key: Secret | None) -> None:
        self._values = _forms(key) if key is not None else ()
        self._held = b""

    def header(self, value: str) -> str:
        """Return a header's value without the key."""
        return self._blotted(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def take(self, chunk: bytes) -> bytes:
        """Take the next bytes of a body and return those that are ready; what may be the beginning of a key is held back."""
        data = self._blotted(self._held + chunk)
        held = max((_beginning(data, value) for value in self._values), default=0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """Return what was held back, once nothing more comes."""
        return self._held

    def _blotted(self, data: bytes) -> bytes:
        for value in self._values:
            data = data.replace(value, b"*" * len(value))
        return data


@lru_cache(maxsize=256)
def _forms(key: Secret) -> tuple[bytes, ...]:
    """Return how a key may be written, the longest first; worked out once a key, not at every answer."""
    plain = key.reveal()
    values = {plain, quote(plain), quote(plain, safe="")} if len(plain) >= _SHORTEST else set()
    return tuple(value.encode() for value in sorted(values, key=len, reverse=True))


def _beginning(data: bytes, value: bytes) -> int:
    """Return how many bytes at the end of `data` could be the beginning of `value`."""
    longest = min(len(value) - 1, len(data))
    return next((length for length in range(longest, 0, -1) if data.endswith(value[:length])), 0)

"""Which names of jobs a file has used, and where first."""

from hashlib import blake2b


class SeenKeys:
    """Keeps 64 bits of a digest for each key instead of its text: a file may have a million of them."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}
        self._folded: dict[int, int] = {}
        """Of keys that are not in lower case throughout, which few files have."""

    def first_line(self, key: str, line: int) -> int | None:
        """Return the line where a key stood before, or remember `line` as its first and return None."""
        digest = _digest(key)
        if digest in self._lines:
            return self._lines[digest]
        self._lines[digest] = line
        return None

    def alike_line(self, key: str, line: int) -> int | None:
        """Return the line of an earlier key that differs from this one in letter case alone, or None."""
        folded = key.casefold()
        digest = _digest(folded)
        earlier = self._folded.get(digest)
        if folded == key:
            return earlier
        self._folded.setdefault(digest, line)
        return earlier or self._lines.get(digest)


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")

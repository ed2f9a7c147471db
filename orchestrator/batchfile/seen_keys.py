"""Which names of jobs a file has used, and where first."""

from hashlib import blake2b


class SeenKeys:
    """Keeps 64 bits of a digest for each key instead of its text: a file may have a million of them."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}

    def first_line(self, key: str, line: int) -> int | None:
        """Return the line where a key stood before, or remember `line` as its first and return None."""
        digest = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        if digest in self._lines:
            return self._lines[digest]
        self._lines[digest] = line
        return None

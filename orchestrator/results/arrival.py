"""An image on its way from its URL: in memory while it is small, in a part file as soon as it is not.

A part file in a folder that worker processes are syncing makes its creator wait, and most results of a fast API are small.
"""

from orchestrator.results.files import OutputFolder, Part

SMALL = 1 << 18
"""Bytes that are kept in memory: at most this times the downloads at once."""


class Arrival:
    """Give it to `write`, then to `Results.save_arrival` or `set_aside`, or `discard` it."""

    def __init__(self, folder: OutputFolder, attempt_id: str, index: int) -> None:
        self.folder = folder
        self.attempt_id = attempt_id
        self.index = index
        self.part: Part | None = None
        """Where the bytes are once they are many."""
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def content(self) -> bytes:
        """All bytes so far, while there is no part."""
        return b"".join(self._pieces)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raise `OSError` when the disk refuses."""
        self._size += len(chunk)
        if self.part is None and self._size > SMALL:
            self.spill()
        if self.part is None:
            self._pieces.append(chunk)
        else:
            self.part.write(chunk)

    def spill(self) -> Part:
        """Return the part that holds all bytes, made now if there is none."""
        if self.part is None:
            self.part = self.folder.part(self.attempt_id, self.index)
            self.part.write(self.content)
            self._pieces.clear()
        return self.part

    def discard(self) -> None:
        """Forget the bytes, and delete the part."""
        self._pieces.clear()
        if self.part is not None:
            self.part.discard()

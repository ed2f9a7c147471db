"""Power cuts: every write to a store is recorded, and replayed up to a moment as a disk may have it that lost its power then.

What was synced is there. Of what was written since, any part may be: no order holds among writes that were not synced, and the
last of them may be torn. That is harsher than most disks, and no harsher than what they promise.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="writes are recorded with strace")
SECTOR = 512
"""Bytes that a disk writes whole or not at all."""
ENDINGS = ("", "-wal")

_LINE = re.compile(r"(?P<process>\d+) +(?P<at>[\d.]+) (?P<call>.*)")
_CALL = re.compile(
    r'(?P<name>\w+)\(\d+<(?P<path>[^>]*)>(?:, (?:"(?P<data>[^"]*)"(?:, (?P<size>\d+), (?P<start>\d+))?|(?P<length>\d+)))?'
)
_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One call that changed a file, or made it durable."""

    at: float
    """Unix seconds at which it was over."""
    path: str
    name: str
    """`pwrite64`, `ftruncate`, or a sync."""
    start: int = 0
    """First byte written, or the new length."""
    data: bytes = b""


def recorder(log: Path, database: Path) -> Sequence[str]:
    """Return what stands before a command line whose writes to a store are to be recorded."""
    paths = [word for ending in ENDINGS for word in ("-P", f"{database}{ending}")]
    calls = "trace=pwrite64,ftruncate,fsync,fdatasync"
    return ("strace", "-f", "-y", "-ttt", "-xx", "-s", "1000000000", "-e", calls, "-o", str(log), *paths, "--")


def changes(log: Path) -> Iterator[Change]:
    """Yield what was recorded, in the order in which it was over; calls of several threads are woven into each other."""
    begun: dict[str, str] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None or found["call"].startswith(("+++", "---")):
                continue
            call = found["call"]
            if call.endswith("<unfinished ...>"):
                begun[found["process"]] = call
                continue
            if call.startswith("<..."):
                call = begun.pop(found["process"])
            if change := _change(float(found["at"]), call):
                yield change


def _change(at: float, call: str) -> Change | None:
    found = _CALL.match(call)
    if found is None:
        return None
    start = found["start"] or found["length"] or 0
    return Change(
        at=at, path=_bytes(found["path"]).decode(), name=found["name"], start=int(start), data=_bytes(found["data"] or "")
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(_BYTE.sub(r"\1", text))


class Disk:
    """The files of a store as a disk has them: what is durable, and what is only on its way."""

    def __init__(self, durable: Mapping[str, bytes]) -> None:
        self._durable = dict(durable)
        self._pending: dict[str, list[Change]] = {}

    def apply(self, change: Change) -> None:
        """Take the next call."""
        if change.name in ("pwrite64", "ftruncate"):
            self._pending.setdefault(change.path, []).append(change)
            return
        content = self._durable.get(change.path, b"")
        for each in self._pending.pop(change.path, []):
            content = _applied(content, each)
        self._durable[change.path] = content

    def lose_power(self, random: Random) -> dict[str, bytes]:
        """Return what the files hold after the power went."""
        return {path: self._remains(path, random) for path in self._durable.keys() | self._pending.keys()}

    def _remains(self, path: str, random: Random) -> bytes:
        content = self._durable.get(path, b"")
        kept = [each for each in self._pending.get(path, []) if random.random() < 0.5]
        for number, each in enumerate(kept):
            is_torn = number == len(kept) - 1
            content = _applied(content, _torn(each, random) if is_torn else each)
        return content


def _applied(content: bytes, change: Change) -> bytes:
    if change.name == "ftruncate":
        return content[: change.start].ljust(change.start, b"\0")
    before = content[: change.start].ljust(change.start, b"\0")
    return before + change.data + content[change.start + len(change.data) :]


def _torn(change: Change, random: Random) -> Change:
    sectors = random.randint(0, len(change.data) // SECTOR)
    return Change(
        at=change.at, path=change.path, name=change.name, start=change.start, data=change.data[: sectors * SECTOR] or change.data
    )

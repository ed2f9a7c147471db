"""Damaging what a run left behind, as accidents and hands in the database do, and hearing what `verify` says to it."""

import sqlite3
from contextlib import closing

import pytest

from orchestrator.app import Ear, Mended, Verified
from orchestrator.engine.findings import Kind
from orchestrator.engine.news import Event

from .bench import Bench, rows


class Auditor:
    """Audits and repairs a bench, and keeps what it is told."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.told: list[Mended] = []
        self.progress: list[tuple[str, int]] = []

    async def verify(self, batch: str | None = None) -> Verified:
        return await self.bench.app().verify(batch, self._ear())

    async def repair(self, batch: str | None = None) -> Verified:
        return await self.bench.app().repair(batch, self._ear())

    def _ear(self) -> Ear:
        self.told, self.progress = [], []
        return Ear(self.told.append, lambda name, jobs: self.progress.append((name, jobs)))

    def named(self) -> set[tuple[Kind, str | None, str | None]]:
        """Return kind, key and file of everything that was told."""
        return {(each.finding.kind, each.finding.key, each.finding.file) for each in self.told}

    def kinds(self, key: str | None) -> set[Kind]:
        """Return what was found about one job; of none for None."""
        return {each.finding.kind for each in self.told if each.finding.key == key}


class Died(Exception):
    """What ends a run as a kill would, but within this process."""


async def died_before_the_last_commit(bench: Bench) -> Auditor:
    """Run one job and end the run between the file's name and the commit that would record it (reliability.md a.3, P10)."""

    def die(event: Event) -> None:
        if event.name == "image_saved":
            raise Died

    file = bench.write(rows(1))
    with pytest.raises(ExceptionGroup):
        await bench.app().run(file, [die], lambda _runtime, _board: None)
    assert bench.states() == {"job-000": "downloading"}
    return Auditor(bench)


def by_hand(bench: Bench, *statements: str) -> None:
    """Change the store as somebody with the sqlite3 program would: nothing is checked but what the database checks itself."""
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement


def flip(bench: Bench, file: str) -> bytes:
    """Flip one bit in the middle of a result; return the bytes as they are now."""
    path = bench.out / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return bytes(content)

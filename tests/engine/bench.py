"""The whole program against a simulator: batch files written, runs made, manifests and store read back."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from orchestrator.app import App, Finished, Options
from orchestrator.engine.board import Board
from orchestrator.engine.news import Event
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.clock import Clock
from orchestrator.simulator import Picture, Simulator, Submission, draw

SIDE = 64
"""Pixels per side of every result."""
KEYS = {"TOAPIS_API_KEY": "sk-test-toapis", "OPENAI_API_KEY": "sk-test-openai"}
_OPENAI = ("openai", "openai-images", "openai-edits", "openai-responses")
MODELS = {"toapis": "gpt-4o-image", **dict.fromkeys(_OPENAI, "gpt-image-2")}
SIZES = {"toapis": "1:1", **dict.fromkeys(_OPENAI, "1024x1024")}

Row = dict[str, Any]


def _begin(_runtime: Runtime, _board: Board) -> None:
    """Let a run begin undisturbed."""


@dataclass(kw_only=True)
class Bench:
    """One folder with a batch file, a store and results, beside one simulator."""

    folder: Path
    simulator: Simulator
    provider: str
    clock: Clock
    account: Mapping[str, Any] = field(default_factory=dict)
    budget: str | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "batch.yaml"

    @property
    def database(self) -> Path:
        return self.folder / "orchestrator.db"

    @property
    def out(self) -> Path:
        return self.folder / "results"

    def answers(self) -> set[str]:
        """Return the attempts whose raw answer lies in the spool, whole."""
        return {path.stem for path in self.database.with_name("orchestrator.spool").glob("*.answer")}

    def write(self, jobs: Sequence[Row]) -> Path:
        """Write the batch file: JSON is YAML, too."""
        settings = {"provider": self.provider, "base_url": self.simulator.url_for(self.provider), **self.account}
        defaults = {"account": "studio", "model": MODELS[self.provider], "size": SIZES[self.provider]}
        budget = {"budget": self.budget} if self.budget else {}
        batch = {"batch": "spring", **budget, "accounts": {"studio": settings}, "defaults": defaults, "jobs": list(jobs)}
        self.file.write_text(json.dumps(batch, indent=1), encoding="utf-8")
        return self.file

    def app(self, **options: Any) -> App:
        """Return the program, as a new process would have it."""
        places = {"db": str(self.database), "out": str(self.out)}
        return App(Options(**(places | options)), clock=self.clock, random=Random(4))

    async def run(
        self, jobs: Sequence[Row] | None = None, *, begun: Callable[[Runtime, Board], None] = _begin, **options: Any
    ) -> Finished:
        """Run the batch file, written anew where `jobs` are given."""
        file = self.file if jobs is None else self.write(jobs)
        return await self.app(**options).run(file, [self.events.append], begun)

    async def resume(self, **options: Any) -> Finished:
        """Go on without the file."""
        return await self.app(**options).resume(None, [self.events.append], _begin)

    def named(self, event: str) -> list[Event]:
        """Return what was told under one name."""
        return [heard for heard in self.events if heard.name == event]

    def manifest(self) -> list[Row]:
        """Return the manifest of the last run."""
        return read_lines(self.out / "spring" / "manifest.jsonl")

    def only(self) -> Row:
        """Return the manifest's one row."""
        (row,) = self.manifest()
        return row

    def states(self) -> dict[str, str]:
        """Return the state of each job by key, from the store itself."""
        return dict(query(self.database, "SELECT key, state FROM job ORDER BY position"))

    def accepted(self) -> list[Submission]:
        """Return the submissions that were charged."""
        return self.simulator.ledger.accepted()

    def outcomes(self) -> list[str]:
        """Return what the provider made of each request, in order."""
        return [submission.outcome for submission in self.simulator.ledger.submissions]

    def lost(self) -> set[str]:
        """Return the prompts whose submission was charged and whose answer never went out."""
        return {str(submission.prompt) for submission in self.accepted() if submission.status is None}

    def attempts(self) -> list[tuple[str, str]]:
        """Return how each attempt of the store ended and whether it was charged, in order of their beginning."""
        rows = query(self.database, "SELECT state, charged FROM attempt ORDER BY rowid")
        return [(str(state), str(charged)) for state, charged in rows]


def query(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a store, read from outside."""
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return connection.execute(statement).fetchall()


def read_lines(manifest: Path) -> list[Row]:
    """Return the rows of a JSONL manifest."""
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def rows(count: int, **fields: Any) -> list[Row]:
    """Return jobs with prompts of their own."""
    return [{"id": f"job-{number:03}", "prompt": f"kite number {number}", **fields} for number in range(count)]


def expected(prompt: str, index: int = 0) -> str:
    """Return the SHA-256 of the result that belongs to a prompt."""
    return hashlib.sha256(draw(Picture(prompt=prompt, index=index, width=SIDE, height=SIDE))).hexdigest()


def assert_whole(out: Path, row: Row) -> None:
    """Check that the images of a succeeded job are on disk, as the manifest says and as its prompt demands."""
    assert row["state"] == "succeeded", row
    for image in row["images"]:
        content = (out / image["file"]).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert digest == image["sha256"] == expected(row["prompt"], image["index"]), row["key"]


def assert_all_whole(bench: Bench) -> None:
    """Check that every job succeeded, and that its images are on disk."""
    for row in bench.manifest():
        assert_whole(bench.out, row)


def picture(path: Path, number: int, *, side: int = 40, mode: str = "RGB") -> Path:
    """Write a PNG that differs from those of other numbers."""
    colour = (number % 256, number // 256 % 256, 90, 120)[: len(mode)]
    target = BytesIO()
    Image.new(mode, (side, side), colour).save(target, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(target.getvalue())
    return path

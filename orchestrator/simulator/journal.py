"""What a restarted simulator still knows: accepted tasks and uploads, one JSON line each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.simulator.ledger import Reference, Upload
from orchestrator.simulator.orders import Order, Task

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Journal"]


class Journal:
    """An append-only file with the uploaded bytes in a folder beside it; without a path it keeps nothing.

    Opening it reads `tasks` and `uploads` back and raises ValueError for a line that is no journal line.
    A last line without its end is what a kill leaves behind, and is cut off.
    """

    def __init__(self, path: Path | None) -> None:
        self.tasks: list[Task] = []
        self.uploads: list[Upload] = []
        self._path = path
        if path is not None:
            self._read(path)

    def write_task(self, task: Task) -> None:
        """Note an accepted task before its answer goes out."""
        self._write("task", asdict(task))

    def write_upload(self, upload: Upload, content: bytes) -> None:
        """Keep an upload; the bytes come first, so that no line ever promises a missing file."""
        if self._path is not None:
            self._content_path(self._path, upload.id).write_bytes(content)
        self._write("upload", asdict(upload))

    def read_content(self, upload: Upload) -> bytes:
        """The bytes of an upload that was read back."""
        if self._path is None:
            raise ValueError("A simulator without a journal has no uploads from before.")
        return self._content_path(self._path, upload.id).read_bytes()

    def _write(self, kind: str, record: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"kind": kind, **record}) + "\n")

    def _read(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + ".uploads").mkdir(exist_ok=True)
        if not path.exists():
            return
        _cut_torn_line(path)
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        kind = record.pop("kind", None)
        if kind == "task":
            self.tasks.append(Task(**{**record, "order": _order(record["order"])}))
        elif kind == "upload":
            self.uploads.append(Upload(**record))
        else:
            raise ValueError(f"{self._path} is not a simulator's journal.")

    @staticmethod
    def _content_path(path: Path, upload_id: str) -> Path:
        return path.with_name(path.name + ".uploads") / upload_id


def _order(record: dict[str, Any]) -> Order:
    references = tuple(Reference(**reference) for reference in record["references"])
    mask = Reference(**record["mask"]) if record["mask"] else None
    return Order(**{**record, "references": references, "mask": mask})


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)

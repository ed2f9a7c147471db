"""Every place to die (reliability.md a.3) has a mark in the source, just there and nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator

pytestmark = pytest.mark.faults

PACKAGE = Path(orchestrator.__file__).parent
_MARK = re.compile(r"^( *)# failpoint (\S+)$")
_ANY = re.compile(r"#.*failpoint", re.IGNORECASE)

MARKS = [
    ("P0", "engine/attempt.py", "_make"),
    ("P0'", "store/door.py", "_written"),
    ("P1", "engine/attempt.py", "_send"),
    ("P10", "engine/downloader.py", "_fetch"),
    ("P11", "engine/downloader.py", "_finish"),
    ("P12", "manifest/export.py", "_replace"),
    ("P13", "engine/attempt.py", "_unreadable"),
    ("P15", "results/spool.py", "keep"),
    ("P16", "engine/inbox.py", "_persistently"),
    ("P17", "engine/attempt.py", "_send"),
    ("P2", "transport/journey.py", "headers_sent"),
    ("P3", "transport/client.py", "_exchange"),
    ("P4", "results/sink.py", "finish"),
    ("P5", "results/sink.py", "finish"),
    ("P6", "engine/inbox.py", "_accept"),
    ("P6", "engine/inbox.py", "_deliver"),
    ("P7", "engine/poller.py", "_look"),
    ("P8", "engine/downloader.py", "_fetch"),
    ("P9", "decoding/publish.py", "_placed"),
]
"""P14 is a power cut, P18 and P19 are losses of files: nothing dies there."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def marks(path: Path) -> Iterator[tuple[str, str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(_MARK.sub(r"\1pass", line) for line in lines))
    for number, line in enumerate(lines, start=1):
        if mark := _MARK.match(line):
            around = [each for each in functions(tree) if each.lineno <= number <= (each.end_lineno or 0)]
            innermost = max(around, key=lambda each: each.lineno)
            yield mark[2], path.relative_to(PACKAGE).as_posix(), innermost.name
        else:
            assert not _ANY.search(line), f"{path}:{number} looks like a mark and is none"


def test_every_place_to_die_is_marked_where_it_is() -> None:
    assert sorted(mark for path in PACKAGE.rglob("*.py") for mark in marks(path)) == sorted(MARKS)


def test_marks_are_comments_that_no_compiled_program_contains() -> None:
    for _, path, function in MARKS:
        code = compile((PACKAGE / path).read_text(encoding="utf-8"), path, "exec")
        assert "failpoint" not in repr(code.co_consts), f"{path} {function}"

"""What the program writes for itself is private, what it writes for the user follows the umask, and open doors are told of."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.jobs.places import BadInput, Severity

from .bench import Bench, assert_whole, picture, rows
from .conftest import OpenBench


@pytest.fixture
def _umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("**/*")}


@pytest.mark.usefixtures("_umask")
async def test_store_and_spool_are_private_and_results_follow_the_umask(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    await bench.run(rows(1))
    found = modes(bench.folder)
    assert {mode for name, mode in found.items() if name.startswith("orchestrator.") and "." in name} <= {0o600, 0o700}
    assert (found["orchestrator.db"], found["orchestrator.spool"]) == (0o600, 0o700)
    assert (found["job-000-0.png"], found["manifest.jsonl"], found["spring"]) == (0o644, 0o644, 0o755)


async def warnings_of(bench: Bench) -> list[str]:
    app = bench.app()
    assert (await app.run(bench.write(rows(1)), [], lambda *_: None)).exit_code == 0
    assert all(problem.severity is Severity.WARNING for problem in app.warnings)
    return [problem.message for problem in app.warnings]


async def test_a_folder_where_everybody_may_write_and_a_store_others_may_open_are_warnings(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images")
    bench.folder.chmod(0o777)
    (warning,) = await warnings_of(bench)
    assert warning.startswith(f"everybody may write to {bench.folder}, where the store lies")
    bench.folder.chmod(0o700)
    assert await warnings_of(bench) == []
    bench.database.chmod(0o644)
    (warning,) = await warnings_of(bench)
    assert warning == f"others may open the store {bench.database}; make it private: chmod 600"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "longer", "gone"])
async def test_a_reference_that_became_something_else_is_refused_before_anything_is_paid(
    open_bench: OpenBench, kind: str
) -> None:
    bench = await open_bench("toapis")
    reference = picture(bench.folder / "mug.png", 1)
    bench.write(rows(1, references=[str(reference)]))
    content = reference.read_bytes()

    def swap(*_: object) -> None:
        reference.unlink()
        if kind == "pipe":
            os.mkfifo(reference)
        elif kind == "folder":
            reference.mkdir()
        elif kind == "device":
            reference.symlink_to("/dev/zero")
        elif kind == "longer":
            reference.write_bytes(content + b"more")

    assert (await bench.run(begun=swap)).exit_code == 1
    assert bench.manifest()[0]["error"]["code"] == "input_changed"
    assert bench.simulator.ledger.submissions == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "text", "link"])
async def test_a_reference_may_be_a_regular_file_anywhere_and_nothing_else(
    open_bench: OpenBench, kind: str, tmp_path: Path
) -> None:
    bench = await open_bench("toapis")
    reference = tmp_path / "mug.png"
    if kind == "pipe":
        os.mkfifo(reference)
    elif kind == "folder":
        reference.mkdir()
    elif kind == "device":
        reference.symlink_to("/dev/zero")
    elif kind == "text":
        reference.write_text("no image")
    else:
        reference.symlink_to(picture(tmp_path / "elsewhere" / "real.png", 1))
    bench.write(rows(1, references=[str(reference)]))
    if kind == "link":
        assert (await bench.run()).exit_code == 0
        assert_whole(bench.out, bench.manifest()[0])
    else:
        with pytest.raises(BadInput, match=r"mug\.png (is no regular file|cannot be used)"):
            await bench.app().validate(bench.file)

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.decoding.facts import NotAnImage, UnsafeImage
from orchestrator.results.pool import DecodePool, WorkerUnavailable
from tests.decoding.pictures import picture


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image.png"
    path.write_bytes(picture())
    return str(path)


def large(path: Path) -> str:
    Image.new("RGBA", (7000, 7000)).save(path, "PNG", compress_level=1)
    return str(path)


def pids(pool: DecodePool) -> list[int]:
    return [worker.pid for worker in pool._started]


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_no_process_is_started_before_it_is_needed() -> None:
    async with DecodePool(workers=1) as pool:
        assert pids(pool) == []


async def test_workers_are_kept_and_shared(image: str) -> None:
    async with DecodePool(workers=2) as pool:
        await asyncio.gather(*(pool.run("inspect_file", path=image) for _ in range(20)))
        assert len(pids(pool)) <= 2


async def test_a_few_small_images_share_one_worker(image: str) -> None:
    async with DecodePool(workers=3, patience=600) as pool:
        for _ in range(5):
            await asyncio.gather(*(pool.run("inspect_file", path=image) for _ in range(4)))
        assert len(pids(pool)) == 1


async def test_an_image_that_has_waited_long_brings_a_worker(image: str) -> None:
    async with DecodePool(workers=3, patience=0.0) as pool:
        await asyncio.gather(*(pool.run("inspect_file", path=image) for _ in range(2)))
        assert len(pids(pool)) == 2


async def test_where_many_images_wait_at_once_more_workers_are_started_without_patience(image: str) -> None:
    async with DecodePool(workers=3, patience=600) as pool:
        await asyncio.gather(*(pool.run("inspect_file", path=image) for _ in range(20)))
        assert len(pids(pool)) == 3


async def test_a_worker_killed_while_idle_is_replaced_unnoticed(image: str) -> None:
    async with DecodePool(workers=1) as pool:
        await pool.run("inspect_file", path=image)
        os.kill(pids(pool)[0], signal.SIGKILL)
        assert (await pool.run("inspect_file", path=image))["width"] == 48


async def test_an_image_that_ends_its_worker_twice_is_unsafe_and_others_go_on(image: str) -> None:
    dies_on_request = (sys.executable, "-c", "import os; print('ready', flush=True); input(); os.kill(os.getpid(), 11)")
    async with DecodePool(workers=1, program=dies_on_request) as pool:
        with pytest.raises(UnsafeImage, match="signal 11"):
            await pool.run("inspect_file", path=image)
        with pytest.raises(UnsafeImage, match="two worker processes"):
            await pool.run("inspect_file", path=image)
        assert pids(pool) == []


async def test_an_image_that_takes_too_long_is_unsafe(tmp_path: Path) -> None:
    async with DecodePool(workers=1, seconds=0.03) as pool:
        with pytest.raises(UnsafeImage, match=r"longer than 0\.03 seconds"):
            await pool.run("inspect_file", path=large(tmp_path / "large.png"))


async def test_an_image_that_needs_too_much_memory_is_unsafe(image: str, tmp_path: Path) -> None:
    async with DecodePool(workers=1, memory=200 << 20) as pool:
        with pytest.raises(UnsafeImage, match="too large"):
            await pool.run("inspect_file", path=large(tmp_path / "large.png"))
        assert (await pool.run("inspect_file", path=image))["height"] == 40


async def test_the_largest_image_that_is_allowed_fits_the_usual_memory(tmp_path: Path) -> None:
    async with DecodePool(workers=1) as pool:
        assert (await pool.run("inspect_file", path=large(tmp_path / "large.png")))["width"] == 7000


async def test_a_cancelled_wait_does_not_confuse_the_next_one(image: str, tmp_path: Path) -> None:
    async with DecodePool(workers=1) as pool:
        await pool.run("inspect_file", path=image)
        before = pids(pool)
        waiting = asyncio.create_task(pool.run("inspect_file", path=large(tmp_path / "large.png")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await pool.run("inspect_file", path=image))["width"] == 48
        assert pids(pool) != before


async def test_what_the_disk_says_comes_through_as_it_is(tmp_path: Path) -> None:
    async with DecodePool(workers=1) as pool:
        with pytest.raises(FileNotFoundError):
            await pool.run("inspect_file", path=str(tmp_path / "gone.png"))
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(NotAnImage, match="no regular file"):
            await pool.run("inspect_file", path=str(tmp_path / "pipe.png"))


async def test_a_bug_in_a_worker_is_raised_where_it_was_asked_for() -> None:
    async with DecodePool(workers=1) as pool:
        with pytest.raises(RuntimeError, match="KeyError"):
            await pool.run("no_such_task")


async def test_a_program_that_does_not_start_is_not_the_images_fault() -> None:
    async with DecodePool(workers=1, program=(sys.executable, "-c", "raise SystemExit(3)")) as pool:
        with pytest.raises(WorkerUnavailable, match="exit code 3"):
            await pool.run("inspect_file", path="x")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows another process's environment")
async def test_workers_do_not_see_the_keys(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with DecodePool(workers=1) as pool:
        await pool.run("inspect_file", path=image)
        assert b"sk-secret" not in environment_of(pids(pool)[0])


async def test_signals_to_stop_leave_a_worker_at_its_work(image: str) -> None:
    async with DecodePool(workers=1) as pool:
        await pool.run("inspect_file", path=image)
        before = pids(pool)
        for stop in (signal.SIGINT, signal.SIGTERM):
            os.kill(before[0], stop)
        await pool.run("inspect_file", path=image)
        assert pids(pool) == before


def test_workers_inherit_no_files_and_die_with_a_killed_parent(image: str, tmp_path: Path) -> None:
    """The parent's standard error is a pipe that workers hold too: its end is the end of the last of them."""
    program = tmp_path / "parent.py"
    program.write_text(
        textwrap.dedent("""
            import asyncio, os, sys
            from pathlib import Path
            from orchestrator.results.pool import DecodePool

            async def main():
                lock = open(sys.argv[2], "w")
                pool = DecodePool(workers=2)
                await asyncio.gather(*(pool.run("inspect_file", path=sys.argv[1]) for _ in range(8)))
                held = [os.path.realpath(f) for w in pool._started for f in Path(f"/proc/{w.pid}/fd").glob("*")]
                print(sys.argv[2] in held, flush=True)
                await asyncio.sleep(600)

            asyncio.run(main())
        """)
    )
    command = [sys.executable, str(program), image, str(tmp_path / "lock")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == b"False\n"
        parent.kill()
        assert parent.stderr.read() == b""

"""A provider that repeats the key in all it says; then the key is looked for wherever the program writes."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from PIL import Image

from orchestrator.cli.main import main
from tests.cli.program import COMMAND, environment

KEY = "tt4711-very/secret+value-of-a-key"
TRACES = (KEY, KEY[:12], quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode().rstrip("="))
BATCH = """\
batch: loud
accounts:
  images: {{provider: openai, base_url: "{url}"}}
  locked: {{provider: openai, base_url: "{url}/locked"}}
  tasks: {{provider: toapis, base_url: "{url}"}}
defaults: {{account: images, model: gpt-image-2, size: 1024x1024}}
jobs:
  - {{id: good, prompt: good}}
  - {{id: refused, prompt: refused}}
  - {{id: broken, prompt: broken}}
  - {{id: odd, prompt: odd}}
  - {{id: locked, prompt: locked, account: locked}}
  - {{id: task, prompt: task, account: tasks, model: gpt-4o-image, size: "1:1"}}
"""


class LoudProvider:
    """Repeats the key; at each request it looks into the folder of the run, and at its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: int | None = None
        self.found: set[str] = set()
        self.looked = 0

    async def answer(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.look)
        assert KEY in request.headers["Authorization"]
        prompt = (await request.json())["prompt"] if request.method == "POST" else "status"
        status, body = getattr(self, prompt)()
        headers = {"x-request-id": KEY, "retry-after": KEY, "x-echo": KEY}
        return web.Response(status=status, text=body, headers=headers, content_type="application/json")

    def look(self) -> None:
        self.looked += 1
        self.found |= set(traces_in(self.folder))
        if self.process is not None:
            self.found |= set(traces_of_processes(self.process))

    def good(self) -> tuple[int, str]:
        picture = BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        image = {"b64_json": base64.b64encode(picture.getvalue()).decode(), "revised_prompt": f"a {KEY}"}
        return 200, json.dumps({"data": [image], "usage": {"input_tokens": 1, "output_tokens": 1, "note": KEY}, "model": KEY})

    def refused(self) -> tuple[int, str]:
        return 400, json.dumps({"error": {"message": f"Incorrect: {KEY}", "code": KEY, "type": KEY, "param": KEY}})

    def broken(self) -> tuple[int, str]:
        return 500, f"<html>{'x' * 170} Authorization: Bearer {KEY}</html>"

    def odd(self) -> tuple[int, str]:
        return 403, json.dumps({"detail": {"headers": {"Authorization": f"Bearer {KEY}"}, "url": f"https://a/?key={quote(KEY)}"}})

    def locked(self) -> tuple[int, str]:
        return 401, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}})

    def task(self) -> tuple[int, str]:
        return 200, json.dumps({"id": "task_1", "status": "queued", "message": KEY})

    def status(self) -> tuple[int, str]:
        error = {"code": KEY, "message": f"upstream said {KEY}"}
        return 200, json.dumps({"id": "task_1", "status": "failed", "progress": KEY, "error": error, "fail_reason": KEY})


def traces_in(folder: Path) -> Iterator[str]:
    for path in folder.glob("**/*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue
        if any(trace.encode() in content for trace in TRACES) or any(trace in str(path) for trace in TRACES):
            yield str(path)


def traces_of_processes(process: int) -> Iterator[str]:
    """Yield what other users could see of the process and of its children, and the environment of the children."""
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    if KEY.encode() in command:
        yield "the command line"
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            begun = Path(f"/proc/{child}/cmdline").read_bytes()
            if begun == command:  # it is just being forked, and shows its parent's memory until it is a program of its own
                continue
            if KEY.encode() in begun + Path(f"/proc/{child}/environ").read_bytes():
                yield "a worker"


@pytest.fixture
async def loud(tmp_path: Path) -> AsyncIterator[LoudProvider]:
    provider = LoudProvider(tmp_path)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "loud.yaml").write_text(BATCH.format(url=f"http://127.0.0.1:{runner.addresses[0][1]}"))
    yield provider
    await runner.cleanup()


async def run(loud: LoudProvider, *options: str) -> tuple[int, str]:
    """Run the batch as a process of its own; return its exit code and all that it said."""
    keys = {"OPENAI_API_KEY": KEY, "TOAPIS_API_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "loud.yaml", *options, cwd=loud.folder, env=environment(**keys), stdout=-1, stderr=-1
    )
    loud.process = process.pid
    out, err = await asyncio.wait_for(process.communicate(), 60)
    loud.process = None
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


@pytest.fixture
def told(loud: LoudProvider, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Runs commands that only look, within this process, which does not know the key."""
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    monkeypatch.chdir(loud.folder)

    def look(*arguments: str) -> str:
        assert main(arguments) == 0
        return "".join(capfd.readouterr())

    yield look
    logging.captureWarnings(capture=False)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("options", [["-v"], ["--json"]])
@pytest.mark.slow
async def test_a_key_that_the_provider_repeats_is_written_nowhere(
    loud: LoudProvider, options: list[str], told: Callable[..., str]
) -> None:
    code, said = await run(loud, *options)
    assert code == 4, said  # the account whose key was refused is paused
    states = await asyncio.to_thread(told, "jobs", "--json")
    exported = [await asyncio.to_thread(told, "export", "--format", form) for form in ("jsonl", "json", "csv")]
    shown = [await asyncio.to_thread(told, "show", key, "-v") for key in ("good", "refused", "broken", "task")]
    assert {row["key"]: row["state"] for row in map(json.loads, states.splitlines())} == {
        "good": "succeeded", "refused": "failed", "broken": "uncertain", "odd": "failed", "locked": "pending", "task": "failed",
    }  # fmt: skip
    assert loud.looked >= 6
    assert loud.found == set()
    assert set(traces_in(loud.folder)) == set()
    assert [text for text in (said, states, *exported, *shown) if any(trace in text for trace in TRACES)] == []
    assert not_private(loud.folder) == {}


def not_private(folder: Path) -> dict[str, str]:
    """Return what lies in the folder of the store and may be opened by others."""
    found = [path for path in folder.glob("orchestrator.*") if path.stat().st_mode & 0o077]
    found += [path for path in folder.glob("orchestrator.*/**/*") if path.stat().st_mode & 0o077]
    return {path.name: oct(path.stat().st_mode) for path in found}

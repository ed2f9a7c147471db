"""A package of somebody else brings an adapter: installed beside the program, it is found, shown and paid like our own."""

import base64
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from tests.cli.program import COMMAND, LONGEST, environment

HERE = Path(__file__).parent
KEY = "lantern-key-1"
WHEEL = "paper_lantern-1.0-py3-none-any.whl"
ABOUT = "paper_lantern-1.0.dist-info"


@dataclass
class Painter:
    """The API that nobody but the third party knows; it notes what it was asked."""

    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def paint(self, order: dict[str, str], key: str) -> bytes:
        self.asked.append(order)
        self.keys.add(key)
        picture = BytesIO()
        Image.new("RGB", (16, 16), (len(self.asked), 90, 120)).save(picture, "PNG")
        return json.dumps({"picture": base64.b64encode(picture.getvalue()).decode()}).encode()


@pytest.fixture
def painter() -> Iterator[Painter]:
    painter = Painter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = painter.paint(order, self.headers["Authorization"])
            self.send_response(200 if self.path == "/paint" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        painter.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield painter
        server.shutdown()
        thread.join()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The third party's package, built as a wheel and unpacked into a folder of its own, as an installer does it."""
    wheel = tmp_path / WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("paper_lantern.py", (HERE / "lantern.py").read_text(encoding="utf-8"))
        archive.writestr(f"{ABOUT}/METADATA", "Metadata-Version: 2.1\nName: paper-lantern\nVersion: 1.0\n")
        archive.writestr(f"{ABOUT}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{ABOUT}/entry_points.txt", "[orchestrator.providers]\nlantern = paper_lantern:Lantern\n")
    shutil.unpack_archive(wheel, tmp_path / "installed", "zip")
    return tmp_path / "installed"


@dataclass(frozen=True)
class Program:
    """The program in an environment in which the package is installed, or is not."""

    folder: Path
    packages: tuple[Path, ...]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        known = environment(LANTERN_KEY=KEY)
        known["PYTHONPATH"] = ":".join([*map(str, self.packages), known["PYTHONPATH"]])
        call = [*COMMAND, *arguments]
        return subprocess.run(call, cwd=self.folder, env=known, capture_output=True, text=True, timeout=LONGEST, check=False)


@pytest.fixture
def folder(tmp_path: Path, painter: Painter) -> Path:
    batch = {
        "batch": "lamps",
        "accounts": {"studio": {"provider": "lantern", "base_url": painter.address, "options": {"lamp": "gas"}}},
        "defaults": {"account": "studio", "model": "paper"},
        "jobs": [{"id": f"lamp-{number}", "prompt": f"a street with {number} lamps"} for number in range(3)],
    }
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "lamps.yaml").write_text(json.dumps(batch), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_an_installed_adapter_runs_a_batch(folder: Path, package: Path, painter: Painter) -> None:
    program = Program(folder, (package,))
    ended = program("run", "lamps.yaml")
    assert ended.returncode == 0, ended.stderr
    assert sorted(order["text"] for order in painter.asked) == [f"a street with {number} lamps" for number in range(3)]
    assert {order["lamp"] for order in painter.asked} == {"gas"}
    assert painter.keys == {f"Bearer {KEY}"}
    manifest = [json.loads(line) for line in (folder / "results/lamps/manifest.jsonl").read_text().splitlines()]
    for row in manifest:
        assert (row["state"], row["provider"], row["cost"]["actual"]) == ("succeeded", "lantern", "0.01")
        assert (folder / "results" / row["images"][0]["file"]).read_bytes().startswith(b"\x89PNG")
    shown = program("providers", "show", "lantern")
    assert shown.stdout.startswith("lantern: answers synchronous\n  address         https://lantern.example\n")


@pytest.mark.slow
def test_its_own_checks_and_options_hold_before_anything_is_sent(folder: Path, package: Path, painter: Painter) -> None:
    text = (folder / "lamps.yaml").read_text().replace("2 lamps", "2 dark lamps").replace("gas", "electric")
    (folder / "lamps.yaml").write_text(text)
    ended = Program(folder, (package,))("validate", "lamps.yaml")
    assert ended.returncode == 2
    assert "accounts.studio.options.lamp must be one of oil, gas; got electric" in ended.stderr
    assert "a lantern paints nothing dark (lantern paper)" in ended.stderr
    assert painter.asked == []


@pytest.mark.slow
def test_a_field_it_does_not_judge_is_sent_with_a_warning(folder: Path, package: Path) -> None:
    text = (folder / "lamps.yaml").read_text().replace('"model": "paper"', '"model": "paper", "extra": {"wick": 3}')
    (folder / "lamps.yaml").write_text(text)
    ended = Program(folder, (package,))("validate", "lamps.yaml")
    assert (ended.returncode, ended.stderr.count("wick is sent as it is, unchecked")) == (0, 1), ended.stderr


@pytest.mark.slow
def test_without_the_package_its_name_is_unknown(folder: Path) -> None:
    ended = Program(folder, ())("validate", "lamps.yaml")
    assert ended.returncode == 2
    assert "account studio: provider must be one of openai, " in ended.stderr
    assert sys.executable in COMMAND

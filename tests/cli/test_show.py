"""What `show` tells of a job that was made from others."""

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main

BATCH = """\
batch: chain
silence: [jpeg-speed]
accounts: {images: {provider: openai, base_url: simulator}}
defaults: {account: images, model: gpt-image-2, size: 1024x1024}
jobs:
  - {id: sketch, prompt: pencil sketch of a mug}
  - {id: red, prompt: the same in red, references: ["https://example.com/a.png?key=secret", {job: sketch}]}
  - {id: blue, prompt: the same in blue, continues: sketch}
"""


@pytest.fixture
def _chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    Path("chain.yaml").write_text(BATCH)
    assert main(["run", "chain.yaml"]) == 0, capsys.readouterr().err
    capsys.readouterr()


@pytest.mark.usefixtures("_chain")
@pytest.mark.slow
def test_show_names_the_image_of_another_job_that_was_used_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    (image,) = json.loads(Path("results/chain/manifest.jsonl").read_text().splitlines()[0])["images"]
    assert main(["show", "red"]) == 0
    shown = capsys.readouterr().out.splitlines()
    first = shown.index("  reference https://example.com/a.png")
    assert shown[first + 1] == f"  reference image 0 of sketch, attempt 1, sha256 {image['sha256']}"
    assert main(["show", "blue"]) == 0
    assert f"  continues image 0 of sketch, attempt 1, sha256 {image['sha256']}" in capsys.readouterr().out
    assert main(["show", "blue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parents"][0]["job"] == "sketch"

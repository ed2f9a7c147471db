"""`providers` and `providers show NAME`."""

import json
from datetime import date
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.providers.base import Capabilities, Provider
from orchestrator.providers.describing import FEATURES, describe
from orchestrator.providers.registry import Registry


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def registry() -> Registry:
    return Registry(today=lambda: date(2026, 11, 21), plugins=())


def test_every_id_is_listed_with_how_it_answers_and_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == {*registry().ids()}
    row = next(line for line in lines if line.startswith("toapis "))
    assert "task" in row
    assert "lookup, refetch, trusts_expiry, callback" in row


def test_a_program_gets_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["provider"] for record in records] == [*registry().ids()]
    found = {record["provider"]: record for record in records}
    assert found["openai"]["members"] == ["openai-images", "openai-edits", "openai-responses"]
    assert "gpt-image-2" in found["openai-images"]["models"]
    assert found["gpt-image-2"]["base_url"] is None


def test_one_provider_is_shown_with_limits_prices_and_the_days_on_which_models_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "show", "openai-images"]) == 0
    text = capsys.readouterr().out
    for line in (
        "  address         https://api.openai.com",
        "  tier 3          ipm 50",
        "    prompt             at most 32000 characters",
        "    n                  a whole number from 1 to 10",
        "    price              text_in $5, image_in $8, image_out $30 for a million tokens",
        "    price as of        2026-11-05 (OpenAI documentation, pricing; tokens of an image by a formula checked against it)",
        "    price              $0.04 an image (quality standard, 1024x1024)",
        "    retires            2026-05-12, at the provider's own hosts; use gpt-image-2",
        "    response_format    not taken: GPT image models always answer with base64; leave it out",
    ):
        assert f"\n{line}\n" in text, line


def test_text_models_and_endpoints_reached_by_an_option_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "show", "openai-responses"]) == 0
    assert "(a text model that calls them: params.mainline_model)" in capsys.readouterr().out
    assert main(["providers", "show", "ttapi-4o"]) == 0
    text = capsys.readouterr().out
    assert "\n  gpt-image-2-plus (with options.submit_path: /openai/gpt/generations)\n" in text
    assert "$0.01 for one of its own units" in text


def test_a_model_as_a_program_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "show", "toapis", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    model = next(model for model in record["models"] if model["name"] == "gpt-image-2")
    assert model["price"]["as_of"] == "2026-09-07"
    assert {"variant": "2K", "size": None, "usd": "0.020"} in model["price"]["per_image"]


def test_the_users_own_facts_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("orchestrator.toml").write_text('[catalog.openai-images.models."gpt-image-9"]\nprompt = 77\n')
    assert main(["providers", "show", "openai-images"]) == 0
    assert "\n  gpt-image-9\n    prompt             at most 77 characters\n" in capsys.readouterr().out
    Path("orchestrator.toml").write_text("[catalog.toapis]\nhots = []\n")
    assert main(["providers"]) == 2
    assert "catalog.toapis.hots is not known - did you mean hosts?" in capsys.readouterr().err


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "show", "opnai-edits"]) == 2
    assert capsys.readouterr().err.endswith("; got opnai-edits - did you mean openai-edits?\n")


def test_every_feature_has_a_word_and_every_word_a_feature() -> None:
    shown = {feature for name in registry().ids() for feature in describe(registry(), name).features}
    assert shown == FEATURES.keys()


def test_features_are_those_of_the_capabilities() -> None:
    for name in registry().ids():
        adapter = registry().get(name)
        if isinstance(adapter, Provider):
            flags = [field for field in Capabilities.__dataclass_fields__ if getattr(adapter.capabilities, field) is True]
            assert {*flags} <= {*describe(registry(), name).features}

"""Accounts from every source, checked whole, and never trusted with keys."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.batchfile import Header, Problems
from orchestrator.config import Accounts, FileSettings, Overrides, keys_of, read_settings
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings, OnError, OnUncertain
from orchestrator.jobs.places import Place
from orchestrator.jobs.secrets import Secret
from orchestrator.providers.registry import Registry


def accounts(
    written: Mapping[str, Mapping[str, Any]] | None = None,
    toml: Mapping[str, Mapping[str, Any]] | None = None,
    **overrides: Any,
) -> tuple[dict[str, AccountSettings], list[str]]:
    problems = Problems()
    places = {
        (name, *rest): Place("jobs.yaml", 3, 5)
        for name, fields in (written or {}).items()
        for rest in [(), *((f,) for f in fields)]
    }
    header = Header(name="b", accounts=written or {}, account_places=places)
    settings = FileSettings(path=Path("orchestrator.toml"), accounts=toml or {})
    registry = Registry(today=lambda: date(2026, 11, 21))
    found = Accounts(registry, settings, Overrides(**overrides), problems).of(header)
    return found, [str(problem) for problem in problems.list]


def test_every_provider_is_an_account_under_its_own_name() -> None:
    found, problems = accounts()
    assert not problems
    assert {"toapis", "openai", "openai-images", "openai-edits"} <= found.keys()
    assert (found["toapis"].concurrency, found["openai"].concurrency) == (4, 8)
    assert found["openai"].api_key_env == "OPENAI_API_KEY"


def test_the_slots_are_those_of_the_way_an_account_is_answered() -> None:
    modes = ("background", "synchronous", "stream")
    found, problems = accounts({mode: {"provider": "openai-responses", "options": {"mode": mode}} for mode in modes})
    assert not problems
    assert [found[mode].concurrency for mode in modes] == [4, 8, 8]


def test_the_batch_file_goes_before_the_settings_file_and_a_flag_before_both() -> None:
    toml = {"studio": {"provider": "openai", "concurrency": 2, "outstanding": 7, "on_500": "retry", "task_deadline": "30m"}}
    found, problems = accounts({"studio": {"concurrency": 3}}, toml)
    assert not problems
    studio = found["studio"]
    assert (studio.concurrency, studio.outstanding, studio.on_500, studio.task_deadline) == (3, 7, OnError.RETRY, 1800.0)
    assert accounts({"studio": {"concurrency": 3}}, toml, concurrency=5)[0]["studio"].concurrency == 5


@pytest.mark.parametrize(
    "url", ["https://gw.example", "https://gw.example/", "https://gw.example/v1", " https://gw.example/v1/ "]
)
def test_a_base_url_is_tidied(url: str) -> None:
    found, _ = accounts({}, {"gw": {"provider": "openai", "base_url": url}})
    assert found["gw"].base_url == "https://gw.example"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"provider": "opnai"}, "accounts? studio.*opnai"),
        ({"provider": "openai", "concurency": 3}, r"accounts\.studio\.concurency is unknown; did you mean concurrency"),
        ({"provider": "openai", "concurrency": "3"}, r"accounts\.studio\.concurrency must be .*; got '3'"),
        ({"provider": "openai", "concurrency": 0}, r"accounts\.studio\.concurrency must be .*; got 0"),
        ({"provider": "openai", "task_deadline": "soon"}, r"accounts\.studio\.task_deadline.*'soon' is no duration; write 90s"),
        ({"provider": "openai", "base_url": "gateway"}, r"accounts\.studio\.base_url must be like https"),
        (
            {"provider": "openai", "options": {"edit_bdy": "json"}},
            r"options\.edit_bdy is unknown; did you mean",
        ),
        (
            {"provider": "openai", "options": {"edit_body": "xml"}},
            r"options\.edit_body must be one of .*; got xml",
        ),
        ({"provider": "openai", "budget_per_day": "much"}, "budget_per_day"),
        ({"provider": "openai", "uncertain": "resubmit"}, r"max_double_cost is missing: .* how many USD may be paid twice"),
        ({"provider": "openai", "uncertain": "maybe"}, r"accounts\.studio\.uncertain must be .*; got 'maybe'"),
        ({"provider": "openai", "max_double_cost": "2.50"}, r"max_double_cost means nothing without uncertain: resubmit"),
        ({"provider": "openai", "uncertain": "resubmit", "max_double_cost": -1}, r"max_double_cost.*amount of USD"),
        ({"provider": "openai", "idempotency_header": "Idempotency-Key"}, r"idempotency_ttl is missing"),
        ({"provider": "openai", "idempotency_ttl": "24h"}, r"idempotency_ttl means nothing without idempotency_header"),
        (
            {"provider": "openai", "idempotency_header": "Content-Type", "idempotency_ttl": "1h"},
            r"header of its own.*got Content-Type",
        ),
        ({"provider": "openai", "headers": {"X-Key": "Bearer abcdefghijkl"}}, "looks like a key"),
        ({"provider": "openai", "api_key_env": "sk-abcdefghijkl"}, "looks like a key|api_key_env must"),
        ({"provider": "openai", "headers": {"authorization": "x"}}, "headers must not have authorization"),
        ({"provider": "openai", "options": {"a": [{"b": "sk-abcdefghijkl"}]}}, r"options looks like a key"),
        ({"provider": "openai", "base_url": "https://me:pass@gw.example"}, r"base_url must be like https.*; got 'gw\.example'"),
        ({"provider": "openai", "proxy": "http://me:pass@proxy.example", "allow_hosts": ["a.example"]}, "user name or password"),
        ({"provider": "openai", "proxy": "proxy.example:3128", "allow_hosts": ["a.example"]}, "proxy must be like http://"),
        ({"provider": "openai", "proxy": "http://proxy.example:3128"}, "proxy needs allow_hosts"),
        ({"provider": "openai", "allow_hosts": ["https://files.example/"]}, "allow_hosts must list hosts like"),
        ({"provider": "openai", "allow_hosts": ["*"]}, "allow_hosts must list hosts like"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(fields: dict[str, Any], said: str) -> None:
    _, problems = accounts({"studio": fields})
    assert problems
    assert any(problem.startswith("jobs.yaml:3:5: ") for problem in problems)
    with pytest.raises(AssertionError, match=said) as told:
        raise AssertionError("\n".join(problems))
    assert "pass@" not in str(told.value)
    assert "sk-abcdefghijkl" not in str(told.value)


def test_all_problems_come_at_once() -> None:
    _, problems = accounts({"a": {"provider": "openai", "concurrency": 0}, "b": {"provider": "nobody"}, "c": {"rpm": "many"}})
    assert len(problems) >= 3


@pytest.mark.parametrize(
    ("fields", "trusted"),
    [
        ({"provider": "openai"}, True),
        ({"provider": "openai", "base_url": "https://api.openai.com/v1"}, True),
        ({"provider": "toapis", "base_url": "https://api.toapis.com"}, True),
        ({"provider": "openai", "base_url": "http://127.0.0.1:9000", "api_key_env": "ANY"}, True),
        ({"provider": "openai", "base_url": "http://localhost:9000"}, True),
        ({"provider": "openai", "base_url": SIMULATOR}, True),
        ({"provider": "openai", "base_url": "https://evil.example"}, False),
        ({"provider": "openai", "base_url": "https://api.openai.com.evil.example"}, False),
        ({"provider": "openai", "api_key_env": "AWS_SECRET_ACCESS_KEY"}, False),
        ({"provider": "openai", "base_url": "https://toapis.com"}, False),
        ({"provider": "openai", "proxy": "http://evil.example:3128", "allow_hosts": ["files.example"]}, False),
        ({"provider": "openai", "allow_hosts": ["169.254.169.254"]}, False),
        ({"provider": "openai", "base_url": "http://127.0.0.1:9000", "allow_hosts": ["127.0.0.1"]}, True),
    ],
)
def test_a_batch_file_cannot_send_a_key_where_it_does_not_belong(fields: dict[str, Any], trusted: bool) -> None:
    _, problems = accounts({"studio": fields})
    assert (not problems) == trusted, problems
    assert accounts({"studio": fields}, trust_accounts=True)[1] == []
    assert accounts({}, {"studio": fields})[1] == []


def test_a_limit_may_be_set_in_the_batch_for_an_account_of_the_settings_file() -> None:
    toml = {"gw": {"provider": "openai", "base_url": "https://gw.example", "api_key_env": "GW_KEY"}}
    found, problems = accounts({"gw": {"concurrency": 2}}, toml)
    assert not problems
    assert (found["gw"].base_url, found["gw"].concurrency) == ("https://gw.example", 2)


def test_a_missing_key_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("TOAPIS_API_KEY", " sk-toapis ")
    found, _ = accounts()
    problems = Problems()
    keys = keys_of({name: found[name] for name in ("openai", "toapis")}, problems)
    assert [str(problem) for problem in problems.list] == [
        "account openai: its key is missing; set the environment variable OPENAI_API_KEY"
    ]
    assert keys["toapis"].reveal() == "sk-toapis"
    assert keys_of({"here": replace(found["openai"], base_url=SIMULATOR)}, Problems()) == {}


def test_the_settings_file_is_read_and_its_problems_name_it(tmp_path: Path) -> None:
    path = tmp_path / "orchestrator.toml"
    path.write_text('db = "a.db"\n[defaults]\naccount = "gw"\n[accounts.gw]\nprovider = "openai"\n')
    problems = Problems()
    settings = read_settings(path, problems)
    assert (settings.db, settings.defaults, problems.list) == ("a.db", {"account": "gw"}, [])
    for text in ("db = ", "dbb = 'a'\n", "budget = 'much'\n", "accounts = 3\n"):
        path.write_text(text)
        problems = Problems()
        read_settings(path, problems)
        assert str(problems.list[0]).startswith(str(path)), text
    problems = Problems()
    read_settings(tmp_path / "missing.toml", problems)
    assert "cannot be read" in str(problems.list[0])


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "openai.key"
    file.write_text("sk-from-a-file\n")
    file.chmod(0o600)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(file))
    return file


def key_of_openai() -> tuple[dict[str, Secret], list[str]]:
    problems = Problems()
    found = keys_of({"openai": accounts()[0]["openai"]}, problems)
    return found, [str(problem) for problem in problems.list]


@pytest.mark.usefixtures("key_file")
def test_a_key_may_stand_in_a_private_file_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_of_openai()[0]["openai"].reveal() == "sk-from-a-file"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-variable")
    assert key_of_openai()[0]["openai"].reveal() == "sk-from-the-variable"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601])
def test_a_key_file_that_others_may_touch_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    found, [problem] = key_of_openai()
    assert not found
    assert problem.endswith("can be read by others; make it private with chmod 600")


def test_a_key_file_that_is_none_is_refused_without_waiting_for_it(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file.unlink()
    assert "cannot be read: No such file" in key_of_openai()[1][0]
    os.mkfifo(key_file, 0o600)
    assert "no regular file" in key_of_openai()[1][0]
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(key_file.parent))
    assert "cannot be" in key_of_openai()[1][0] or "no regular file" in key_of_openai()[1][0]


@pytest.mark.parametrize("key", ["sk-two\nlines-of-key", "sk with blanks", "sk-\u0430\u0431\u0432-cyrillic"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_quoted(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    found, [problem] = key_of_openai()
    assert not found
    assert "characters that no key has" in problem
    assert key not in problem


def test_policies_for_lost_answers_are_taken_as_written() -> None:
    fields = {"uncertain": "resubmit", "max_double_cost": "2.50", "uncertain_grace": "5m"}
    keyed = {"idempotency_header": "Idempotency-Key", "idempotency_ttl": "24h"}
    found, problems = accounts({"studio": {"provider": "openai", **fields, **keyed}})
    assert not problems
    studio = found["studio"]
    assert (studio.uncertain, studio.max_double_cost, studio.uncertain_grace) == (OnUncertain.RESUBMIT, Decimal("2.50"), 300.0)
    assert (studio.idempotency_header, studio.idempotency_ttl) == ("Idempotency-Key", 86400.0)


def test_a_policy_that_the_settings_file_changes_is_checked_for_a_stored_account_too() -> None:
    stored = accounts()[0]["openai"]
    problems = Problems()
    settings = FileSettings(path=Path("orchestrator.toml"), accounts={"openai": {"uncertain": "resubmit"}})
    Accounts(Registry(today=lambda: date(2026, 11, 21)), settings, Overrides(), problems).again(stored)
    (problem,) = problems.list
    assert str(problem).startswith("orchestrator.toml: accounts.openai.max_double_cost is missing")


def test_a_tier_stands_for_the_limits_of_the_catalog_and_what_is_written_goes_before_it() -> None:
    found, problems = accounts(
        {"studio": {"provider": "openai", "tier": "2"}, "own": {"provider": "toapis", "tier": "vip", "rpm": 7}}
    )
    assert not problems
    assert (found["studio"].ipm, found["studio"].rpm) == (20, None)
    assert (found["own"].rpm, found["own"].poll_rpm) == (7, 10000)


def test_an_unknown_tier_is_named_with_those_there_are() -> None:
    _, problems = accounts({"studio": {"provider": "openai", "tier": "9"}})
    assert problems == ["jobs.yaml:3:5: accounts.studio.tier must be one of 1, 2, 3, 4, 5; got 9"]

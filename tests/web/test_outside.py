import stat
from pathlib import Path

import pytest

from orchestrator.app.outside import Listen, listen, mint_of, public_url
from orchestrator.app.setup import CannotStart
from orchestrator.batchfile import Problems
from orchestrator.jobs.places import Severity


@pytest.mark.parametrize(
    ("given", "url", "warns"),
    [
        ("https://hooks.example.com/", "https://hooks.example.com", False),
        ("https://example.com:8443/images", "https://example.com:8443/images", False),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765", False),
        ("http://hooks.example.com", "http://hooks.example.com", True),
    ],
)
def test_a_public_url_is_taken_and_one_without_tls_is_warned_of(given: str, url: str, *, warns: bool) -> None:
    problems = Problems()
    assert public_url(given, problems) == url
    assert [problem.severity for problem in problems.list] == [Severity.WARNING] * warns


@pytest.mark.parametrize(
    "given", ["hooks.example.com", "ftp://x.example", "https://", "https://a@b.example", "https://x/?a", "http://[x"]
)
def test_a_public_url_that_is_none_is_a_problem(given: str) -> None:
    problems = Problems()
    assert public_url(given, problems) is None
    assert problems.errors == 1


def test_the_program_listens_on_this_machine_only_unless_told_otherwise() -> None:
    problems = Problems()
    assert listen(None, problems) == Listen(host="127.0.0.1", port=8765)
    assert listen("[::1]:80", problems) == Listen(host="::1", port=80)
    assert listen("none", problems) is None
    assert problems.list == []
    assert listen("0.0.0.0:80", problems) == Listen(host="0.0.0.0", port=80)
    assert "TLS" in problems.list[0].message


@pytest.mark.parametrize("given", ["8765", "host:", "host:port", "host:99999", ":80"])
def test_a_place_to_listen_that_is_none_is_a_problem(given: str) -> None:
    problems = Problems()
    assert listen(given, problems) is None
    assert problems.errors == 1


def test_the_key_of_a_store_is_private_and_stays_the_same(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.callback-key"
    token = mint_of(file).callback("a")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert mint_of(file).callback("a") == token
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("spoil", ["short", "open", "folder", "link"])
def test_a_key_that_others_may_have_made_or_read_is_refused(tmp_path: Path, spoil: str) -> None:
    file = tmp_path / "orchestrator.callback-key"
    if spoil == "folder":
        file.mkdir()
    elif spoil == "link":
        (tmp_path / "other").write_bytes(b"x" * 32)
        file.symlink_to(tmp_path / "other")
    else:
        file.write_bytes(b"x" * (8 if spoil == "short" else 32))
        file.chmod(0o600 if spoil == "short" else 0o644)
    with pytest.raises(CannotStart, match="callback-key"):
        mint_of(file)

"""What is said outside of the engine's events quotes no key either, and steers no terminal."""

import logging

import pytest

from orchestrator.cli.logs import _OneLine
from orchestrator.cli.outcome import explain
from orchestrator.cli.redaction import redactor_of
from orchestrator.cli.streams import say

KEY = "tt-4711-very-secret"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTAPI_API_KEY", KEY)


def test_secret_variables_are_told_by_their_names() -> None:
    environment = {
        "A_KEY": "value-of-a-key",
        "DB_PASSWORD": "value-of-a-word",
        "API_KEY_FILE": "a-file-with-a-key",
        "HOME": "a-folder-of-mine",
    }
    said = redactor_of(environment)("value-of-a-key value-of-a-word a-file-with-a-key a-folder-of-mine")
    assert said == "*** *** a-file-with-a-key a-folder-of-mine"


def test_a_line_for_the_user_quotes_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"error: no such host {KEY}.example")
    assert capsys.readouterr().err == "error: no such host ***.example\n"


def raised(text: str) -> RuntimeError:
    try:
        raise RuntimeError(text)  # noqa: TRY301 - only what was raised has a traceback
    except RuntimeError as error:
        return error


@pytest.mark.parametrize("verbose", [False, True])
def test_a_bug_quotes_no_key_and_its_traceback_steers_no_terminal(capsys: pytest.CaptureFixture[str], verbose: bool) -> None:
    assert explain(raised(f"bad {KEY} \x1b[2J\u202e"), verbose=verbose) == 70
    said = capsys.readouterr().err
    assert KEY not in said
    assert not {"\x1b", "\u202e"} & set(said)
    assert ("Traceback" in said) == verbose


@pytest.mark.parametrize("verbose", [False, True])
def test_what_libraries_log_quotes_no_key_and_stays_on_its_line(capsys: pytest.CaptureFixture[str], verbose: bool) -> None:
    error = raised(f"inner {KEY}\x1b[2J")
    record = logging.LogRecord(
        "aiohttp", logging.WARNING, "", 0, f"header {KEY}\nforged line\x9b", (), (RuntimeError, error, None)
    )
    _OneLine(verbose=verbose).emit(record)
    said = capsys.readouterr().err
    assert KEY not in said
    assert not {"\x1b", "\x9b"} & set(said)
    assert r"\nforged line" in said

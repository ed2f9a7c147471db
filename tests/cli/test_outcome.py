import pytest

from orchestrator.app import CannotStart, NotFound
from orchestrator.cli.outcome import Stopped, exit_code, explain
from orchestrator.jobs.places import BadInput, Place, Problem


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput([Problem(message="wrong")]), 2),
        (NotFound("nobody"), 2),
        (CannotStart("locked"), 3),
        (PermissionError(13, "Permission denied", "run.db"), 3),
        (RuntimeError("a bug"), 70),
        (OSError(24, "Too many open files"), 70),
        (Stopped("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("several", [ExceptionGroup("inner", [CannotStart("locked")]), RuntimeError("second")]), 3),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_a_bug_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(ExceptionGroup("several", [ValueError("odd\nthing")]), verbose=False) == 70
    assert capsys.readouterr().err == ("internal error: ValueError: odd\\nthing; please report it; details: run again with -v\n")


def test_the_details_of_a_bug_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="odd") as caught:
        int("odd")
    explain(caught.value, verbose=True)
    assert "Traceback" in capsys.readouterr().err


def test_problems_come_one_a_line_and_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem(message=f"wrong {n}", place=Place("jobs.yaml", n, 1)) for n in (1, 2)]
    explain(BadInput(problems), verbose=False)
    assert capsys.readouterr().err.splitlines() == [
        "jobs.yaml:1:1: wrong 1",
        "jobs.yaml:2:1: wrong 2",
        "2 problems; nothing was stored or sent",
    ]

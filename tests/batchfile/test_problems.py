import pytest

from orchestrator.batchfile.problems import MOST_KEPT, Problems
from orchestrator.jobs.places import BadInput, Place, Severity


def test_problems_stay_in_the_order_they_were_found() -> None:
    problems = Problems()
    problems.add("second line", Place("a.csv", 2))
    problems.add("first line", Place("a.csv", 1))
    assert [str(problem) for problem in problems.list] == ["a.csv:2: second line", "a.csv:1: first line"]


def test_the_same_problem_of_the_same_place_is_said_once() -> None:
    problems = Problems()
    for _ in range(3):
        problems.add("wrong", Place("a.csv", 2))
    assert problems.errors == 1


def test_warnings_alone_do_not_stop_a_batch() -> None:
    problems = Problems()
    problems.add("doubtful", severity=Severity.WARNING)
    problems.raise_if_any()
    assert problems.errors == 0


def test_an_error_raises_with_the_warnings_beside_it() -> None:
    problems = Problems()
    problems.add("doubtful", severity=Severity.WARNING)
    problems.add("wrong")
    with pytest.raises(BadInput) as caught:
        problems.raise_if_any()
    assert [problem.message for problem in caught.value.problems] == ["doubtful", "wrong"]


def test_more_problems_than_are_kept_are_counted_and_warnings_crowd_out_no_error() -> None:
    problems = Problems()
    for number in range(MOST_KEPT + 5):
        problems.add(f"doubtful {number}", severity=Severity.WARNING)
    problems.add("wrong")
    assert problems.errors == 1
    assert [problem.message for problem in problems.list][-2:] == ["wrong", "and 5 more of these"]

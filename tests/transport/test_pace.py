import pytest

from orchestrator.transport.pace import SLOWEST, WINDOW, Pace, TooSlow
from tests.clock import StillClock


def test_a_body_as_slow_as_allowed_goes_on_for_ever() -> None:
    clock = StillClock()
    pace = Pace(clock)
    for _second in range(600):
        clock.move(1)
        pace.came(SLOWEST)


def test_a_body_below_it_is_dead_after_one_window_and_not_before() -> None:
    clock = StillClock()
    pace = Pace(clock)
    clock.move(WINDOW - 1)
    pace.came(1)
    clock.move(1)
    with pytest.raises(TooSlow):
        pace.came(1)


def test_a_fast_beginning_does_not_excuse_a_trickle() -> None:
    clock = StillClock()
    pace = Pace(clock)
    clock.move(WINDOW)
    pace.came(100 * 2**20)
    clock.move(WINDOW)
    with pytest.raises(TooSlow):
        pace.came(1000)

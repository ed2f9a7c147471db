"""Steps that move other jobs, or bring a job back to the queue: whoever hands out work must look again."""

from collections.abc import Callable, Mapping

from orchestrator.engine.board import Board
from orchestrator.jobs.forecast import Left
from orchestrator.jobs.lifecycle import FINAL, State
from orchestrator.store.records import Job


class Stirring:
    """Hears of every committed step of the engine."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.wake: Callable[[], None] = _nobody
        self.has_families = False
        """Whether a job ended whose children moved with it: their steps are not heard one by one."""

    def step(self, job: Job, target: State) -> None:
        """Count a step, and wake the queues when there may be something to send that was not there before."""
        self._board.step(job, target)
        if job.children and target in FINAL:
            self.has_families = True
            self.wake()
        elif target is State.PENDING and job.state in (State.RUNNING, State.DOWNLOADING):
            self.wake()

    def grow(self, states: Mapping[State, int], left: Mapping[str, Left]) -> None:
        """Take the figures of a run that has more to do than before."""
        self._board.begin(states)
        self._board.left = dict(left)
        self.wake()

    def recount(self, states: Mapping[State, int]) -> None:
        """Take the figures of the store, where some steps went unheard."""
        self._board.begin(states)


def _nobody() -> None:
    """Before the queues are there nothing needs to be woken."""

"""Why a run ended, and what the user has to hear of it."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.budget import Shortage
from orchestrator.jobs.failures import Failure


class Ending(StrEnum):
    """Why a run ended."""

    OVER = "over"
    PAUSED = "paused"
    """No account that has work may go on, a budget is reached, or the disk is full."""
    DRAINED = "drained"
    ABORTED = "aborted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run ended; what became of its jobs stands in the store."""

    ending: Ending
    paused: dict[str, Failure]
    """Paused accounts and why."""
    halted: str | None = None
    """Why nothing more could be written."""
    shortages: tuple[Shortage, ...] = ()
    """Budgets into which the next job does not fit."""
    damaged: bool = False
    """Whether it is the store that cannot be trusted any more."""

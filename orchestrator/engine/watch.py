"""A task while it is asked for."""

from dataclasses import dataclass

from orchestrator.store.records import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """One task that is asked for."""

    job: Job
    unfinished_at: float
    """Unix seconds at which the task was last known not to be finished."""
    polls: int = 0
    failures: int = 0
    """Failed polls in a row."""
    missing_since: float | None = None
    """Monotonic seconds since which the provider does not know the task."""
    timed: bool = True
    """Whether it is known since when its provider has worked on it without a pause of ours."""
    announced: bool = False
    """Whether it has said when it would be finished."""
    called: bool = False
    """Whether its provider has called to say that it ended."""

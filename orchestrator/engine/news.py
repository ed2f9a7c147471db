"""What the engine tells those who watch: events with keys, never sentences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.jobs.clock import Clock
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.store.records import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened, after it was written down."""

    name: str
    time: float
    """Unix seconds."""
    batch: str | None = None
    key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class News:
    """Spreads events to whoever listens; `redact` takes secrets out of every text first."""

    def __init__(self, clock: Clock, redact: Callable[[str], str], *listeners: Listener) -> None:
        self._clock, self._redact, self._listeners = clock, redact, listeners

    def tell_failure(self, job: Job, failure: Failure) -> None:
        """Tell what a failure has made of a job: its end, or of a job with several requests perhaps only the end of one."""
        if job.state is State.SUCCEEDED:
            self.tell("job_succeeded", job, images=job.parts_saved, partial=job.partial)
        else:
            name = "part_failed" if job.state is State.PENDING else "job_failed"
            self.tell(name, job, code=failure.code.value, message=failure.message)

    def tell(self, name: str, job: Job | None = None, **facts: Any) -> None:  # noqa: ANN401
        """Tell that something happened."""
        event = Event(
            name=name,
            time=self._clock.now(),
            batch=job.batch if job else None,
            key=job.key if job else None,
            facts={name: self._redact(fact) if isinstance(fact, str) else fact for name, fact in facts.items()},
        )
        for listener in self._listeners:
            listener(event)

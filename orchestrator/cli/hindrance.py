"""Why nothing moves: what sends jobs back to wait, until something goes through again."""

from orchestrator.engine.news import Event

_PROGRESS = frozenset({"job_accepted", "job_ready", "job_succeeded"})


class Hindrance:
    """Remembers the latest postponement, as long as it lasts."""

    def __init__(self) -> None:
        self.code: str | None = None
        """Why jobs wait, an error code; None when nothing is in the way."""
        self.message = ""
        self._until = 0.0

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        if event.name == "job_postponed":
            self.code, self.message = event.facts["code"], event.facts["message"]
            self._until = max(self._until, event.time + event.facts.get("wait", 0.0))
        elif event.name in _PROGRESS:
            self.code, self._until = None, 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until the last postponed job may be sent; 0 when it may."""
        return max(0.0, self._until - now)

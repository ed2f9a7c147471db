"""Figures of the work for Prometheus: counted from what the engine tells, and read off it when somebody asks."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from orchestrator.engine.desk import Desk
from orchestrator.engine.news import Event
from orchestrator.engine.runtime import Runtime
from orchestrator.store.store import Store

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
_TOLD = {
    "job_submitting": "submissions",
    "job_uncertain": "uncertain",
    "job_progress": "polls_unfinished",
    "poll_failed": "polls_failed",
    "job_ready": "polls_or_answers_with_results",
    "job_failed": "failures",
    "task_adopted": "adoptions",
    "task_found": "lookups_that_found",
    "late_result": "late_results",
}
"""Event -> what it counts."""


class Metrics:
    """Hears the news of all runs of this process; `store` and `runtime` are asked at each scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.runtime: Runtime | None = None
        self._registry = registry = CollectorRegistry()
        self._events = Counter("orchestrator_events", "What happened to jobs", ["what"], registry=registry)
        self._throttles = Counter("orchestrator_throttles", "Submissions put off", ["code"], registry=registry)
        self._spent = Counter("orchestrator_spent_usd", "USD settled by results", registry=registry)
        self._bytes = Counter("orchestrator_saved_bytes", "Bytes of saved images", registry=registry)
        self._wait = Histogram(
            "orchestrator_ready_to_disk_seconds", "From known results to whole files", buckets=_SECONDS, registry=registry
        )
        self._jobs = Gauge("orchestrator_jobs", "Jobs in each state", ["state"], registry=registry)
        self._slack = Gauge("orchestrator_deadline_slack_seconds", "To the earliest end of a result's life", registry=registry)
        self._accounts = Gauge("orchestrator_account", "How accounts stand", ["account", "what"], registry=registry)
        self._store_figures = Gauge("orchestrator_store", "Work of the store", ["what"], registry=registry)
        self._calls = Gauge("orchestrator_calls", "Calls received, by what became of them", ["what"], registry=registry)
        self._ready_at: dict[tuple[str | None, str | None], float] = {}

    def hear(self, event: Event) -> None:
        """Count an event."""
        if event.name in _TOLD:
            self._events.labels(_TOLD[event.name]).inc()
        if event.name == "job_postponed":
            self._throttles.labels(str(event.facts.get("code"))).inc()
        elif event.name == "job_ready":
            self._spent.inc(float(event.facts.get("cost") or 0))
            self._ready_at[event.batch, event.key] = event.time
        elif event.name == "image_saved":
            self._bytes.inc(event.facts["bytes"])
        elif event.name in ("job_succeeded", "job_failed"):
            self._time(event)

    def _time(self, event: Event) -> None:
        since = self._ready_at.pop((event.batch, event.key), None)
        if since is not None and event.name == "job_succeeded":
            self._wait.observe(max(0.0, event.time - since))

    async def text(self, now: float, calls: dict[str, int]) -> bytes:
        """Return all figures as Prometheus reads them; `calls` are those received, by what became of them."""
        await self._look_at_jobs(now)
        for name, number in calls.items():
            self._calls.labels(name).set(number)
        door = self._store.door
        for name, figure in (("commits", door.commits), ("writes", door.writes), ("seconds_in_commits", door.seconds)):
            self._store_figures.labels(name).set(figure)
        for account, what, value in self._standing():
            self._accounts.labels(account, what).set(value)
        return generate_latest(self._registry)

    async def _look_at_jobs(self, now: float) -> None:
        self._jobs.clear()
        deadlines = []
        for batch in await self._store.batches():
            overview = await self._store.overview(batch)
            for state, number in overview.states.items():
                self._jobs.labels(str(state)).inc(number)
            if overview.earliest_deadline is not None:
                deadlines.append(overview.earliest_deadline - now)
        self._slack.set(min(deadlines, default=float("nan")))

    def _standing(self) -> Iterator[tuple[str, str, float]]:
        for desk in self.runtime.desks if self.runtime else ():
            for what, value in _figures(desk).items():
                yield desk.name, what, float(value)


def _figures(desk: Desk) -> dict[str, Any]:
    return {
        "in_flight": desk.limiter.in_flight,
        "slots": desk.limiter.slots,
        "outstanding": len(desk.outstanding),
        "handed": len(desk.handed),
        "gate_closed_seconds": desk.limiter.closed_for,
        "refusals_in_a_row": desk.limiter.streak,
        "paused": desk.paused is not None,
    }

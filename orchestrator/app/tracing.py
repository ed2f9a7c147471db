"""Spans for OpenTelemetry, one for each attempt, where the extra `otel` is installed and an endpoint is named."""

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from orchestrator.batchfile import Problems
from orchestrator.engine.news import Event, Listener
from orchestrator.jobs.places import Severity

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_ENDS = frozenset({"job_succeeded", "job_failed", "job_uncertain", "job_postponed", "part_failed"})
"""Events that end an attempt, or leave it without an end that could be waited for."""
_FAILED = frozenset({"job_failed", "job_uncertain", "part_failed"})
_NANO = 10**9


def is_wanted() -> bool:
    """Say whether somebody has named an endpoint."""
    return bool(os.environ.get(ENDPOINT, "").strip())


def spans(stack: AsyncExitStack, problems: Problems) -> Listener | None:
    """Return who makes spans of events, and sends what is left of them when `stack` ends; without the extra, a warning."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        message = f"{ENDPOINT} is set, and no spans are sent: install the extra, pip install 'orchestrator[otel]'"
        problems.add(message, severity=Severity.WARNING)
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": "orchestrator"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    stack.callback(provider.shutdown)
    return Spans(provider.get_tracer("orchestrator")).hear


class Spans:
    """Begins a span with each attempt, puts what happens to its job into it, and ends it with the attempt."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer
        self._open: dict[tuple[str | None, str | None], Span] = {}

    def hear(self, event: Event) -> None:
        """Take an event into the span of its job."""
        name, moment = (event.batch, event.key), int(event.time * _NANO)
        if event.name == "job_submitting":
            attributes = {"orchestrator.batch": str(event.batch), "orchestrator.key": str(event.key), **_plain(event.facts)}
            self._open[name] = self._tracer.start_span("attempt", start_time=moment, attributes=attributes)
        elif (span := self._open.get(name)) is not None:
            span.add_event(event.name, _plain(event.facts), timestamp=moment)
            if event.name in _ENDS:
                self._end(name, event, moment)

    def _end(self, name: tuple[str | None, str | None], event: Event, moment: int) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - is there, or nobody would have called

        span = self._open.pop(name)
        span.set_status(Status(StatusCode.ERROR if event.name in _FAILED else StatusCode.OK))
        span.end(end_time=moment)


def _plain(facts: Any) -> dict[str, str | bool | int | float]:  # noqa: ANN401 - facts are of every kind
    kinds = (str, bool, int, float)
    return {name: value if isinstance(value, kinds) else str(value) for name, value in facts.items() if value is not None}

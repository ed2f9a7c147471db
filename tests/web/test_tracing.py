import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.app.tracing import Spans
from orchestrator.engine.news import Event


def event(name: str, time: float, key: str = "mug", **facts: object) -> Event:
    return Event(name=name, time=time, batch="spring", key=key, facts=facts)


def test_every_attempt_is_a_span_with_what_happened_in_it() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(provider.get_tracer("test"))
    for each in (
        event("job_submitting", 1.0, attempt="a1"),
        event("job_submitting", 1.5, key="cup", attempt="a2"),
        event("job_accepted", 2.0, remote_id="task_1"),
        event("job_uncertain", 3.0, key="cup", code="answer_lost", at_stake=None),
        event("job_succeeded", 4.0, images=1),
        event("old_news", 5.0),
    ):
        spans.hear(each)
    cup, mug = exporter.get_finished_spans()
    assert mug.start_time is not None
    assert mug.end_time is not None
    assert (mug.start_time, mug.end_time) == (10**9, 4 * 10**9)
    assert mug.attributes == {"orchestrator.batch": "spring", "orchestrator.key": "mug", "attempt": "a1"}
    assert [found.name for found in mug.events] == ["job_accepted", "job_succeeded"]
    assert (mug.status.is_ok, cup.status.is_ok) == (True, False)
    provider.shutdown()

"""Whatever an API answers, its adapter reads it or says that it cannot: nothing else is raised, and no image is made up."""

import inspect
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs.reports import Report, Status
from orchestrator.providers.base import LookupProvider, Provider, TaskProvider, UploadProvider, WebhookProvider
from orchestrator.providers.registry import Registry
from orchestrator.transport.messages import Answer, Unreadable

from .contract import Contract, adapters
from .making import ATTEMPT, today

ADAPTERS = adapters(Registry(today=today, plugins=()))
CONTRACTS = {identifier: Contract.of(adapter) for identifier, adapter in ADAPTERS.items()}
FEW = settings(max_examples=30, derandomize=True, deadline=None, database=None)
NAMES = [
    *("id", "task_id", "jobId", "job_id", "status", "object", "data", "result", "output", "outputs", "images", "url", "b64_json"),
    *("type", "content", "message", "choices", "text", "refusal", "error", "code", "fail_reason", "usage", "created", "quota"),
    *("completed_at", "expires_at", "progress", "imageUrl", "finishTime", "incomplete_details", "reason", "metadata", "delta"),
]
WORDS = [
    "",
    "completed",
    "failed",
    "SUCCESS",
    "FAILED",
    "queued",
    "cancelled",
    "image_generation_call",
    "https://a.example/1.png",
]
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS) | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=14,
)


def read(adapter: Provider, answer: Answer) -> list[Report]:
    """Return what each reader of an adapter makes of an answer within 2xx; those that cannot read it are left out."""
    readers: list[Any] = [adapter.read_submission]
    if isinstance(adapter, TaskProvider):
        readers.append(adapter.read_status)
    if isinstance(adapter, LookupProvider):
        readers.append(lambda answer: adapter.read_lookup(answer, ATTEMPT))
    if isinstance(adapter, WebhookProvider):
        readers.append(lambda answer: adapter.read_webhook(answer.headers, answer.body))
    if isinstance(adapter, UploadProvider):
        readers.append(adapter.read_upload)
    found = []
    for reader in readers:
        try:
            found.append(reader(answer))
        except Unreadable:
            continue
    return [report for report in found if isinstance(report, Report)]


def assert_sound(reports: list[Report]) -> None:
    for report in reports:
        assert (report.failure is not None) is (report.status in (Status.FAILED, Status.CANCELLED))
        assert report.status is Status.SUCCEEDED or not report.outputs
        assert all((output.url is None) is not (output.base64 is None) for output in report.outputs)


@pytest.mark.parametrize("identifier", ADAPTERS)
@FEW
@given(value=values)
def test_any_json_is_read_or_unreadable(identifier: str, value: Any) -> None:
    answer = Answer(status=200, headers={"content-type": "application/json"}, body=json.dumps(value).encode())
    assert_sound(read(ADAPTERS[identifier], answer))


@pytest.mark.parametrize("identifier", ADAPTERS)
@FEW
@given(value=values)
def test_a_documented_answer_with_one_odd_field_is_read_or_unreadable(identifier: str, value: Any) -> None:
    contract = CONTRACTS[identifier]
    for kind in contract.kinds:
        written = contract.data["answers"][kind].get("body")
        for name in written or {}:
            body = json.dumps({**written, name: value}).encode()
            assert_sound(read(ADAPTERS[identifier], Answer(status=200, headers={}, body=body)))
            assert ADAPTERS[identifier].read_failure(Answer(status=400, headers={}, body=body)).message


@pytest.mark.parametrize("identifier", ADAPTERS)
@FEW
@given(lines=st.lists(st.tuples(st.sampled_from(["event", "data", "id", ""]), values), max_size=5))
def test_any_stream_is_read_or_unreadable(identifier: str, lines: list[tuple[str, Any]]) -> None:
    text = "".join(f"{field}: {json.dumps(value)}\n\n" for field, value in lines)
    answer = Answer(status=200, headers={"content-type": "text/event-stream"}, body=text.encode())
    assert_sound(read(ADAPTERS[identifier], answer))


@pytest.mark.parametrize("identifier", ADAPTERS)
def test_an_adapter_is_small_enough_to_be_read_in_one_go(identifier: str) -> None:
    lines, _ = inspect.getsourcelines(inspect.getmodule(type(ADAPTERS[identifier])) or pytest.fail("no module"))
    assert len(lines) <= 250

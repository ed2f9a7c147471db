"""One suite over every registered adapter: whatever its API answers, it says what that means, and what follows for the money."""

import base64
import json
from collections.abc import Callable
from datetime import date
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from orchestrator.jobs.attempts import Charged
from orchestrator.jobs.failures import Action, ErrorCode, Verdict, judge_submission, row_of
from orchestrator.jobs.reports import Report, Status
from orchestrator.jobs.retry import advised_wait
from orchestrator.providers.base import Provider, Shape, TaskProvider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import GROUP, Registry
from orchestrator.providers.toapis import ToApis
from orchestrator.results.skeleton import LONGEST_RUN, Outline
from orchestrator.transport.messages import Answer, Unreadable

from .contract import Contract, adapters, missing, written
from .making import today

ADAPTERS = adapters(Registry(today=today))
EACH = pytest.mark.parametrize("contract", [pytest.param(name, id=name) for name in ADAPTERS], indirect=True)
NO_ANSWERS = [b"", b"  \n", b"null", b"[]", b"42", b'"text"', b"true", b'{"hello": "world"}', b"<html><body>busy</body></html>"]
LONG = base64.b64encode(bytes(3 << 20)).decode()


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> Contract:
    return Contract.of(ADAPTERS[request.param])


def verdict(contract: Contract, answer: Answer) -> Verdict:
    """Return what follows from an answer outside 2xx to a paid request."""
    return judge_submission(answer.status, contract.adapter.read_failure(answer))


@pytest.mark.parametrize("identifier", ADAPTERS)
def test_every_registered_adapter_brings_a_sample_of_every_kind(identifier: str) -> None:
    assert missing(ADAPTERS[identifier]) == []


class Newcomer(ToApis):
    id = "newcomer"


def newcomer(catalog: Catalog, day: Callable[[], date]) -> Provider:
    return Newcomer(catalog, day)


def test_a_new_adapter_without_samples_makes_the_suite_fail() -> None:
    registry = Registry(today=today, plugins=[EntryPoint(name="newcomer", value=f"{__name__}:newcomer", group=GROUP)])
    assert missing(adapters(registry)["newcomer"]) == ["samples"]


@EACH
def test_the_golden_request_is_written_as_documented(contract: Contract) -> None:
    request = contract.adapter.submission(contract.order)
    assert request.method == "POST"
    assert written(request) == contract.data["request"]


@EACH
def test_the_golden_request_passes_the_adapters_own_checks(contract: Contract) -> None:
    order = contract.order
    found = contract.adapter.validate(order.spec, order.account)
    # Whatever counts the images of a job sees none here: they stand in the order already.
    assert [each.message for each in found if each.severity == "error" and each.path not in {("references",), ("mask",)}] == []


@EACH
def test_an_accepted_order_is_a_task_to_follow_or_its_images(contract: Contract) -> None:
    sample = contract.sample("accepted")
    report = sample.read_by(contract.adapter)
    if contract.adapter.capabilities.shape is Shape.TASK:
        assert (report.status, report.remote_id, report.outputs) == (Status.RUNNING, sample.remote_id, ())
    else:
        assert (report.status, len(report.outputs), report.failure) == (Status.SUCCEEDED, sample.images, None)


@EACH
@pytest.mark.parametrize("kind", ["delivered", "more_images", "fewer_images"])
def test_every_image_of_an_answer_is_taken_whatever_their_number(contract: Contract, kind: str) -> None:
    if kind not in contract.kinds:
        assert contract.adapter.capabilities.shape is Shape.SYNCHRONOUS  # what is accepted is delivered
        return
    sample = contract.sample(kind)
    report = sample.read_by(contract.adapter)
    assert (report.status, len(report.outputs), report.failure) == (Status.SUCCEEDED, sample.images, None)
    assert all((output.url is None) is not (output.base64 is None) for output in report.outputs)


@EACH
def test_a_refusal_fails_the_job_with_the_providers_words_and_costs_nothing(contract: Contract) -> None:
    found = verdict(contract, contract.sample("refused").answer)
    assert (found.action, found.charged, found.failure.code) == (Action.FAIL, Charged.NO, ErrorCode.INVALID_REQUEST)
    assert found.failure.message


@EACH
@pytest.mark.parametrize(
    ("headers", "wait"), [({}, None), ({"retry-after": "17"}, 17.0), ({"retry-after-ms": "250"}, 0.25)], ids=["bare", "s", "ms"]
)
def test_a_throttled_order_is_sent_again_later_with_or_without_advice(
    contract: Contract, headers: dict[str, str], wait: float | None
) -> None:
    answer = contract.sample("throttled").answer
    advised = Answer(status=answer.status, headers=headers, body=answer.body)
    found = verdict(contract, advised)
    assert (found.action, found.charged) == (Action.THROTTLE, Charged.NO)
    assert advised_wait(advised.headers, now=0.0) == wait


@EACH
def test_an_empty_account_is_no_throttle_and_no_failed_job(contract: Contract) -> None:
    found = verdict(contract, contract.sample("quota").answer)
    assert (found.action, found.charged, found.failure.code) == (Action.PAUSE, Charged.NO, ErrorCode.QUOTA)


@EACH
def test_a_moderated_order_is_refused_in_the_providers_words(contract: Contract) -> None:
    sample = contract.sample("moderated")
    if sample.answer.status >= 300:
        failure = verdict(contract, sample.answer).failure
    else:
        report = sample.read_by(contract.adapter)
        assert report.status is Status.FAILED
        assert report.failure is not None
        failure = report.failure
    assert failure.code is ErrorCode.REFUSED
    assert failure.message


@EACH
def test_an_answer_that_came_too_late_proves_nothing_and_is_held(contract: Contract) -> None:
    answer = contract.sample("late").answer
    found = verdict(contract, answer)
    assert (found.action, found.charged) == (Action.HOLD, Charged.POSSIBLE)
    assert row_of(answer.status).poll is Action.AGAIN


@EACH
def test_a_word_that_nobody_documents_is_at_work_never_an_end(contract: Contract) -> None:
    report = contract.sample("unknown_status").read_by(contract.adapter)
    assert (report.status, report.outputs, report.failure) == (Status.RUNNING, (), None)
    assert report.word


@EACH
def test_a_cancelled_task_is_cancelled(contract: Contract) -> None:
    if "cancelled" not in contract.kinds:
        assert "cancelled" in contract.data["answers"]["cancelled"]  # why there is none
        return
    report = contract.sample("cancelled").read_by(contract.adapter)
    assert report.failure is not None
    assert (report.status, report.failure.code) == (Status.CANCELLED, ErrorCode.TASK_CANCELLED)


def readers(adapter: Provider) -> list[Callable[[Answer], Report]]:
    return [adapter.read_submission, *([adapter.read_status] if isinstance(adapter, TaskProvider) else [])]


@EACH
@pytest.mark.parametrize("body", NO_ANSWERS, ids=[repr(body.decode())[:20] for body in NO_ANSWERS])
def test_what_is_no_answer_is_neither_a_success_nor_a_failure(contract: Contract, body: bytes) -> None:
    for read in readers(contract.adapter):
        with pytest.raises(Unreadable):
            read(Answer(status=200, headers={}, body=body))


@EACH
@pytest.mark.parametrize("body", [*NO_ANSWERS, b"\xff\xfe\x00"], ids=[repr(body)[:20] for body in [*NO_ANSWERS, b"\xff"]])
def test_an_error_of_any_shape_has_words_and_the_meaning_of_its_status(contract: Contract, body: bytes) -> None:
    for status, action in ((400, Action.FAIL), (401, Action.PAUSE), (429, Action.THROTTLE), (502, Action.HOLD)):
        found = verdict(contract, Answer(status=status, headers={}, body=body))
        assert found.action is action
        assert found.failure.message


@EACH
def test_a_truncated_answer_is_unreadable_wherever_it_was_cut(contract: Contract) -> None:
    for kind in ("accepted", *(("delivered",) if "delivered" in contract.kinds else ())):
        sample = contract.sample(kind)
        for length in range(0, len(sample.answer.body), 7):
            cut = Answer(status=200, headers={}, body=sample.answer.body[:length])
            with pytest.raises(Unreadable):
                type(sample)(**{**vars(sample), "answer": cut}).read_by(contract.adapter)


def huge(value: Any) -> Any:
    """Return a value with every image in it replaced by megabytes of base64."""
    if isinstance(value, dict):
        return {name: LONG if name in ("b64_json", "result") and isinstance(v, str) else huge(v) for name, v in value.items()}
    return [huge(item) for item in value] if isinstance(value, list) else value


@EACH
@pytest.mark.parametrize("kind", ["accepted", "delivered"])
def test_a_huge_answer_is_read_from_its_outline(contract: Contract, kind: str) -> None:
    if kind not in contract.kinds:
        return
    sample = contract.sample(kind)
    whole = {**huge(json.loads(sample.answer.body)), "padding": LONG}
    outline = Outline("0123456789abcdef")
    outline.feed(json.dumps(whole).encode())
    short = outline.finish()
    assert len(short) < LONGEST_RUN
    report = type(sample)(**{**vars(sample), "answer": Answer(status=200, headers={}, body=short)}).read_by(contract.adapter)
    known = sample.read_by(contract.adapter)
    assert (report.status, report.remote_id, len(report.outputs)) == (known.status, known.remote_id, len(known.outputs))
    assert all(output.url or (output.base64 or "").startswith("spool:") for output in report.outputs)

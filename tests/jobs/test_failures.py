"""reliability.md part c, the submit column: what a paid request that did not simply succeed leads to."""

import pytest

from orchestrator.jobs.attempts import Charged
from orchestrator.jobs.failures import TABLE, Action, ErrorCode, Failure, Signal, judge_submission, row_of

HELD: list[Signal | int] = [Signal.CUT, Signal.TIMED_OUT, Signal.UNREADABLE, 408, 409, 500, 502, 504, 520, 522, 524, 507, 599]
AGAIN: list[Signal | int] = [Signal.NOT_CONNECTED, Signal.BODY_INCOMPLETE, 425, 521, 523, 525, 526]
THROTTLED = [429, 499, 503, 529]
PAUSED: list[Signal | int] = [Signal.BAD_CERTIFICATE, 401, 402]
FAILED = [300, 301, 307, 308, 400, 403, 404, 405, 410, 413, 415, 418, 422, 451, 501, 505]


def failure(signal: Signal | int, code: ErrorCode | None = None) -> Failure:
    return Failure(code=code or row_of(signal).code, message="")


@pytest.mark.parametrize(
    ("signal", "action"),
    [
        *[(signal, Action.HOLD) for signal in HELD],
        *[(signal, Action.AGAIN) for signal in AGAIN],
        *[(signal, Action.THROTTLE) for signal in THROTTLED],
        *[(signal, Action.PAUSE) for signal in PAUSED],
        *[(signal, Action.FAIL) for signal in FAILED],
    ],
)
def test_a_paid_request_leads_to_what_the_table_says(signal: Signal | int, action: Action) -> None:
    verdict = judge_submission(signal, failure(signal))
    assert verdict.action is action
    assert verdict.charged is (Charged.POSSIBLE if action is Action.HOLD else Charged.NO)


def test_every_signal_is_judged() -> None:
    assert set(Signal) <= set(TABLE)


@pytest.mark.parametrize("status", [400, 403, 429])
def test_an_empty_account_is_paused_whatever_the_status(status: int) -> None:
    assert judge_submission(status, failure(status, ErrorCode.QUOTA)).action is Action.PAUSE


@pytest.mark.parametrize("status", [500, 502, 504, 408, 409])
@pytest.mark.parametrize("code", list(ErrorCode))
def test_no_word_of_the_provider_makes_a_doubtful_answer_a_sure_one(status: int, code: ErrorCode) -> None:
    verdict = judge_submission(status, failure(status, code), first_contact=code is ErrorCode.SERVER_ERROR)
    assert verdict.action is not Action.AGAIN
    assert verdict.action is not Action.THROTTLE


@pytest.mark.parametrize("signal", [404, 307, Signal.BAD_CERTIFICATE])
def test_a_wrong_address_pauses_at_first_contact(signal: Signal | int) -> None:
    assert judge_submission(signal, failure(signal), first_contact=True).action is Action.PAUSE


@pytest.mark.parametrize("signal", [404, 307])
def test_later_it_is_the_jobs_own_failure(signal: Signal | int) -> None:
    assert judge_submission(signal, failure(signal)).action is Action.FAIL


def test_errors_are_tried_again_where_the_account_says_they_are_free() -> None:
    assert judge_submission(500, failure(500), errors_are_free=True).action is Action.AGAIN
    assert judge_submission(500, failure(500), gateway_errors_are_free=True).action is Action.HOLD
    for status in (502, 504, 520, 522, 524):
        assert judge_submission(status, failure(status), gateway_errors_are_free=True).action is Action.AGAIN
        assert judge_submission(status, failure(status), errors_are_free=True).action is Action.HOLD


def test_a_poll_that_fails_never_fails_its_job_outright() -> None:
    for signal in (*HELD, *AGAIN, *THROTTLED):
        assert row_of(signal).poll in (Action.AGAIN, Action.THROTTLE)
    assert row_of(404).poll is Action.WAIT

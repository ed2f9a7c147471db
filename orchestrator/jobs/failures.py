"""What a failure means and what follows from it: the table of reliability.md part c, one row per signal, one column per stage.

First it is asked whether the server could have the whole request, then whether it said no. What is neither not sent nor
refused is in doubt, and a doubt about money is held, never repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from orchestrator.jobs.attempts import Charged


class ErrorCode(StrEnum):
    """The closed list behind `error.code` in manifests and `jobs --error`."""

    INVALID_REQUEST = "invalid_request"
    REFUSED = "refused"
    WRONG_ENDPOINT = "wrong_endpoint"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    NO_ACCESS = "no_access"
    BAD_KEY = "bad_key"
    QUOTA = "quota"
    REDIRECTED = "redirected"
    BAD_CERTIFICATE = "bad_certificate"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    NOT_CONNECTED = "not_connected"
    BODY_INCOMPLETE = "body_incomplete"
    SERVER_ERROR = "server_error"
    GATEWAY_ERROR = "gateway_error"
    CONFLICT = "conflict"
    ANSWER_LOST = "answer_lost"
    ANSWER_UNREADABLE = "answer_unreadable"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    NO_IMAGE = "no_image"
    GENERATION_FAILED = "generation_failed"
    TASK_CANCELLED = "task_cancelled"
    TASK_MISSING = "task_missing"
    TASK_OVERDUE = "task_overdue"
    DOWNLOAD_FAILED = "download_failed"
    RESULT_EXPIRED = "result_expired"
    UNSAFE_RESULT = "unsafe_result"
    INPUT_CHANGED = "input_changed"
    UPLOAD_FAILED = "upload_failed"
    UPLOAD_FORGOTTEN = "upload_forgotten"
    CONVERSATION_FORGOTTEN = "conversation_forgotten"
    OVERCHARGED = "overcharged"
    GIVEN_UP = "given_up"
    PARENT_FAILED = "parent_failed"
    PARENT_IMAGE_MISSING = "parent_image_missing"


class Signal(StrEnum):
    """What can be seen of a request that brought no HTTP status."""

    NOT_CONNECTED = "not_connected"
    """DNS, refused, TLS handshake, connect time-out: no byte was sent."""
    BAD_CERTIFICATE = "bad_certificate"
    BODY_INCOMPLETE = "body_incomplete"
    """The connection broke before the whole body was handed over."""
    CUT = "cut"
    """Reset or closed after the body was handed over."""
    TIMED_OUT = "timed_out"
    UNREADABLE = "unreadable"
    """An answer that is truncated, malformed, of the wrong shape or too large."""


class Action(StrEnum):
    """What follows."""

    AGAIN = "again"
    """Proven not charged, or free: once more after a back-off."""
    THROTTLE = "throttle"
    """Once more, and the gate of the whole account closes for a while."""
    PAUSE = "pause"
    """The account stops until the user resumes it; its jobs stay."""
    FAIL = "fail"
    HOLD = "hold"
    """Perhaps charged: uncertain."""
    WAIT = "wait"
    """A task that cannot be seen just now is still paid for: keep asking, slower."""
    REFETCH = "refetch"
    """The link is dead, the result may not be: ask for it again by task id."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one signal means at each stage."""

    code: ErrorCode
    submit: Action
    poll: Action
    download: Action


_A, _G, _P, _F, _H, _W, _R = (
    Action.AGAIN, Action.THROTTLE, Action.PAUSE, Action.FAIL, Action.HOLD, Action.WAIT, Action.REFETCH,
)  # fmt: skip
_C = ErrorCode

# fmt: off
TABLE: Mapping[Signal | int, Row] = MappingProxyType({
    #                                                      submit poll download
    Signal.NOT_CONNECTED:   Row(_C.NOT_CONNECTED,     _A, _A, _A),
    Signal.BAD_CERTIFICATE: Row(_C.BAD_CERTIFICATE,   _P, _P, _F),
    Signal.BODY_INCOMPLETE: Row(_C.BODY_INCOMPLETE,   _A, _A, _A),
    Signal.CUT:             Row(_C.ANSWER_LOST,       _H, _A, _A),
    Signal.TIMED_OUT:       Row(_C.TIMED_OUT,         _H, _A, _A),
    Signal.UNREADABLE:      Row(_C.ANSWER_UNREADABLE, _H, _A, _A),
    400: Row(_C.INVALID_REQUEST, _F, _F, _A),
    401: Row(_C.BAD_KEY,         _P, _P, _R),
    402: Row(_C.QUOTA,           _P, _P, _F),
    403: Row(_C.NO_ACCESS,       _F, _P, _R),
    404: Row(_C.NOT_FOUND,       _F, _W, _R),
    405: Row(_C.INVALID_REQUEST, _F, _F, _F),
    408: Row(_C.TIMED_OUT,       _H, _A, _A),
    409: Row(_C.CONFLICT,        _H, _A, _A),
    410: Row(_C.NOT_FOUND,       _F, _W, _R),
    413: Row(_C.TOO_LARGE,       _F, _F, _F),
    415: Row(_C.INVALID_REQUEST, _F, _F, _F),
    422: Row(_C.INVALID_REQUEST, _F, _F, _F),
    425: Row(_C.UNAVAILABLE,     _A, _A, _A),
    429: Row(_C.THROTTLED,       _G, _G, _G),
    451: Row(_C.REFUSED,         _F, _F, _F),
    499: Row(_C.THROTTLED,       _G, _G, _A),
    500: Row(_C.SERVER_ERROR,    _H, _A, _A),
    501: Row(_C.INVALID_REQUEST, _F, _F, _F),
    502: Row(_C.GATEWAY_ERROR,   _H, _A, _A),
    503: Row(_C.UNAVAILABLE,     _G, _G, _A),
    504: Row(_C.GATEWAY_ERROR,   _H, _A, _A),
    505: Row(_C.INVALID_REQUEST, _F, _F, _F),
    520: Row(_C.GATEWAY_ERROR,   _H, _A, _A),
    521: Row(_C.UNAVAILABLE,     _A, _A, _A),
    522: Row(_C.GATEWAY_ERROR,   _H, _A, _A),
    523: Row(_C.UNAVAILABLE,     _A, _A, _A),
    524: Row(_C.GATEWAY_ERROR,   _H, _A, _A),
    525: Row(_C.UNAVAILABLE,     _A, _A, _A),
    526: Row(_C.UNAVAILABLE,     _A, _A, _A),
    529: Row(_C.THROTTLED,       _G, _G, _A),
})

_REDIRECT = Row(_C.REDIRECTED,            _F, _F, _F)
_OTHER_4XX = Row(_C.INVALID_REQUEST,      _F, _F, _F)
_OTHER = Row(_C.SERVER_ERROR,             _H, _A, _A)
# fmt: on

FIRST_CONTACT: frozenset[ErrorCode] = frozenset({_C.NOT_FOUND, _C.REDIRECTED, _C.BAD_CERTIFICATE, _C.WRONG_ENDPOINT})
"""Before an account's first accepted attempt these mean wrong settings, which must not fail every job."""

OUTRANKS: Mapping[ErrorCode, Action] = MappingProxyType(
    {
        ErrorCode.QUOTA: Action.PAUSE,
        ErrorCode.BAD_KEY: Action.PAUSE,
        ErrorCode.REFUSED: Action.FAIL,
        ErrorCode.WRONG_ENDPOINT: Action.FAIL,
        ErrorCode.INVALID_REQUEST: Action.FAIL,
        ErrorCode.TOO_LARGE: Action.FAIL,
        ErrorCode.NOT_FOUND: Action.FAIL,
        ErrorCode.THROTTLED: Action.THROTTLE,
    }
)
"""What the provider's own error code says about a definite no (4xx) outranks its status: a 429 may mean an empty account."""

_GATEWAY_STATUSES = frozenset({502, 504, 520, 522, 524})


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One failed exchange with a provider, in our words and in its own."""

    code: ErrorCode
    message: str
    """For the user; redacted before it is stored."""
    http_status: int | None = None
    provider_code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds the provider asks us to wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A failure of a paid request and what follows from it."""

    action: Action
    failure: Failure
    charged: Charged


def row_of(signal: Signal | int) -> Row:
    """Return the row of a transport signal or an HTTP status."""
    found = TABLE.get(signal)
    if found is not None:
        return found
    if isinstance(signal, int):
        if signal in range(300, 400):
            return _REDIRECT
        if signal in range(400, 500):
            return _OTHER_4XX
    return _OTHER


def judge_submission(
    signal: Signal | int,
    failure: Failure,
    *,
    first_contact: bool = False,
    errors_are_free: bool = False,
    gateway_errors_are_free: bool = False,
) -> Verdict:
    """Return what follows from a paid request that brought `signal`.

    `failure.code` is what the adapter read in the answer (or the row's own code). `errors_are_free` and
    `gateway_errors_are_free` are the account's word (`on_500`, `on_502`: retry) that such errors are not charged.
    """
    action = row_of(signal).submit
    if isinstance(signal, int) and signal in range(400, 500) and action is not Action.HOLD:
        action = OUTRANKS.get(failure.code, action)
    if first_contact and failure.code in FIRST_CONTACT and action is not Action.HOLD:
        action = Action.PAUSE
    if (signal == 500 and errors_are_free) or (signal in _GATEWAY_STATUSES and gateway_errors_are_free):  # noqa: PLR2004
        action = Action.AGAIN
    charged = Charged.POSSIBLE if action is Action.HOLD else Charged.NO
    return Verdict(action=action, failure=failure, charged=charged)

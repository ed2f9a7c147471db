"""The one table of legal steps. Every write to a job goes through it; the picture in README.md is printed from it."""

from collections.abc import Iterator
from enum import StrEnum


class State(StrEnum):
    """Where a job stands; the meaning of each is told in `MEANING`."""

    BLOCKED = "blocked"
    PENDING = "pending"
    SUBMITTING = "submitting"
    RUNNING = "running"
    READY = "ready"
    DOWNLOADING = "downloading"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to a job."""

    UNBLOCKED = "unblocked"
    CLAIMED = "claimed"
    POSTPONED = "postponed"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DOUBTED = "doubted"
    TASK_FAILED = "task_failed"
    RETRIED = "retried"
    DOWNLOAD_STARTED = "download_started"
    DOWNLOAD_POSTPONED = "download_postponed"
    ASKED_AGAIN = "asked_again"
    SAVED = "saved"
    NEXT_PART = "next_part"
    LAST_PART_MISSED = "last_part_missed"
    UNUSABLE = "unusable"
    LOST = "lost"
    LOOKED_UP = "looked_up"
    ADOPTED = "adopted"
    NOT_CHARGED = "not_charged"
    RESUBMITTED = "resubmitted"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    PARENT_FAILED = "parent_failed"
    REVIVED = "revived"
    BLOCKED = "blocked"
    REPLACED = "replaced"
    REPAIRED = "repaired"
    VANISHED = "vanished"


MEANING = {
    State.BLOCKED: "waits for another job of the batch whose image it uses",
    State.PENDING: "to be submitted, not before next_at",
    State.SUBMITTING: "attempt committed, request may be in flight",
    State.RUNNING: "accepted, remote id known",
    State.READY: "results known: URLs with a deadline, or the raw answer spooled to disk",
    State.DOWNLOADING: "a downloader is at work on it",
    State.SUCCEEDED: "images on disk, decoded, hashed; partial when fewer than asked",
    State.FAILED: "refused or given up, with a code and the provider's words",
    State.EXPIRED: "charged, result gone before it could be fetched",
    State.UNCERTAIN: "perhaps charged; held until adopted or resolved",
    State.CANCELLED: "stopped by the user",
}

FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.EXPIRED, State.CANCELLED})
"""Only a command of the user, written down as such, leaves these."""

AT_REST = FINAL | {State.UNCERTAIN}
"""Nothing moves these by itself, but an uncertain job that still waits for a look-up (it has a `next_at`)."""

_S, _E = State, Event

TABLE: dict[tuple[State, Event], State] = {
    (_S.BLOCKED, _E.UNBLOCKED): _S.PENDING,
    (_S.BLOCKED, _E.PARENT_FAILED): _S.FAILED,
    (_S.BLOCKED, _E.CANCELLED): _S.CANCELLED,
    (_S.BLOCKED, _E.REPLACED): _S.PENDING,
    (_S.PENDING, _E.CLAIMED): _S.SUBMITTING,
    (_S.PENDING, _E.POSTPONED): _S.PENDING,
    (_S.PENDING, _E.REFUSED): _S.FAILED,
    (_S.PENDING, _E.CANCELLED): _S.CANCELLED,
    (_S.PENDING, _E.REPLACED): _S.PENDING,
    (_S.PENDING, _E.BLOCKED): _S.BLOCKED,
    (_S.SUBMITTING, _E.POSTPONED): _S.PENDING,
    (_S.SUBMITTING, _E.REFUSED): _S.FAILED,
    (_S.SUBMITTING, _E.ACCEPTED): _S.RUNNING,
    (_S.SUBMITTING, _E.DELIVERED): _S.READY,
    (_S.SUBMITTING, _E.DOUBTED): _S.UNCERTAIN,
    (_S.SUBMITTING, _E.NEXT_PART): _S.PENDING,
    (_S.SUBMITTING, _E.LAST_PART_MISSED): _S.SUCCEEDED,
    (_S.RUNNING, _E.DELIVERED): _S.READY,
    (_S.RUNNING, _E.TASK_FAILED): _S.FAILED,
    (_S.RUNNING, _E.RETRIED): _S.PENDING,
    (_S.RUNNING, _E.LOST): _S.EXPIRED,
    (_S.RUNNING, _E.DOUBTED): _S.UNCERTAIN,
    (_S.RUNNING, _E.CANCELLED): _S.CANCELLED,
    (_S.RUNNING, _E.NEXT_PART): _S.PENDING,
    (_S.RUNNING, _E.LAST_PART_MISSED): _S.SUCCEEDED,
    (_S.READY, _E.DOWNLOAD_STARTED): _S.DOWNLOADING,
    (_S.READY, _E.ASKED_AGAIN): _S.RUNNING,
    (_S.READY, _E.GIVEN_UP): _S.FAILED,
    (_S.READY, _E.CANCELLED): _S.CANCELLED,
    (_S.DOWNLOADING, _E.DOWNLOAD_POSTPONED): _S.READY,
    (_S.DOWNLOADING, _E.ASKED_AGAIN): _S.RUNNING,
    (_S.DOWNLOADING, _E.SAVED): _S.SUCCEEDED,
    (_S.DOWNLOADING, _E.NEXT_PART): _S.PENDING,
    (_S.DOWNLOADING, _E.LAST_PART_MISSED): _S.SUCCEEDED,
    (_S.DOWNLOADING, _E.UNUSABLE): _S.FAILED,
    (_S.DOWNLOADING, _E.LOST): _S.EXPIRED,
    (_S.UNCERTAIN, _E.LOOKED_UP): _S.UNCERTAIN,
    (_S.UNCERTAIN, _E.ADOPTED): _S.RUNNING,
    (_S.UNCERTAIN, _E.DELIVERED): _S.READY,
    (_S.UNCERTAIN, _E.NOT_CHARGED): _S.PENDING,
    (_S.UNCERTAIN, _E.RESUBMITTED): _S.PENDING,
    (_S.UNCERTAIN, _E.GIVEN_UP): _S.FAILED,
    (_S.FAILED, _E.RETRIED): _S.PENDING,
    (_S.FAILED, _E.REVIVED): _S.BLOCKED,
    (_S.FAILED, _E.REPLACED): _S.PENDING,
    (_S.EXPIRED, _E.RETRIED): _S.PENDING,
    (_S.CANCELLED, _E.RETRIED): _S.PENDING,
    (_S.CANCELLED, _E.REPLACED): _S.PENDING,
    (_S.SUCCEEDED, _E.REPAIRED): _S.SUCCEEDED,
    (_S.SUCCEEDED, _E.VANISHED): _S.EXPIRED,
    (_S.FAILED, _E.REPAIRED): _S.FAILED,
    (_S.EXPIRED, _E.REPAIRED): _S.EXPIRED,
    (_S.CANCELLED, _E.REPAIRED): _S.CANCELLED,
}


class IllegalStep(Exception):
    """A step that the table does not have: a bug in the caller, and nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a {state} job cannot be {event}")
        self.state, self.event = state, event


def after(state: State, event: Event) -> State:
    """Return the state that `event` leads to from `state`; raise `IllegalStep` where the table has no such step."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalStep(state, event) from None


def sources(event: Event) -> tuple[State, ...]:
    """Return the states that `event` may leave, in the order of the table."""
    return tuple(state for state, known in TABLE if known is event)


def diagram() -> str:
    """Return the table as a Mermaid state diagram, parallel steps joined on one arrow."""
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", "    [*] --> blocked", *_arrows()])


def _arrows() -> Iterator[str]:
    joined: dict[tuple[State, State], list[Event]] = {}
    for (source, event), target in TABLE.items():
        joined.setdefault((source, target), []).append(event)
    for (source, target), events in joined.items():
        yield f"    {source} --> {target}: {' / '.join(events)}"
    for state in State:
        if state in FINAL:
            yield f"    {state} --> [*]"

"""One job's rows held against each other and against what was read from the batch file: a hand in the database leaves traces.

What shows them: the seal over what the file said; the chain of events, in which each leaves the state the one before it led to,
the last one leads to the job's state, and every step stands in the lifecycle's table; the numbers of attempts and images; and
that every attempt which may cost money has a result, a reason, or is still open.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.engine.findings import Finding, Kind
from orchestrator.jobs.attempts import AttemptState, Charged, ImageState
from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.lifecycle import FINAL, TABLE, Event, State
from orchestrator.store import specs
from orchestrator.store.rescuing import LATE
from orchestrator.store.stories import Story

_FIRST = (State.PENDING, State.BLOCKED)
_S, _A, _C = State, AttemptState, Charged

_STANDS_WITH = {
    _S.SUBMITTING: _A.OPEN,
    _S.RUNNING: _A.ACCEPTED,
    _S.READY: _A.ACCEPTED,
    _S.DOWNLOADING: _A.ACCEPTED,
    _S.UNCERTAIN: _A.UNCERTAIN,
}
"""The state of a job and that of the attempt it names."""

_ENDED_WITH = {_S.SUCCEEDED: _A.DELIVERED, _S.EXPIRED: _A.LOST}
"""The state of a job and that of at least one of its attempts: the parts of a `fan_out` may end differently."""

_MAY_COST = {
    _A.OPEN: (_C.POSSIBLE,),
    _A.ACCEPTED: (_C.YES,),
    _A.UNCERTAIN: (_C.POSSIBLE,),
    _A.NOT_SENT: (_C.NO,),
    _A.THROTTLED: (_C.NO,),
    _A.REFUSED: (_C.NO,),
    _A.FAILED: tuple(_C),
    _A.DELIVERED: (_C.YES,),
    _A.LOST: (_C.YES,),
    _A.ABANDONED: tuple(_C),
}

Row = Mapping[str, Any]


def audit(story: Story) -> Iterator[Finding]:
    """Yield everything that is wrong with the rows of one job."""
    for kind, message in (
        *_sealed(story),
        *_history(story),
        *_standing(story),
        *_attempts(story),
        *_charges(story),
        *_images(story),
    ):
        yield Finding(kind=kind, message=message, batch=story.job["batch"], key=story.job["key"])


_Found = Iterator[tuple[Kind, str]]


def _sealed(story: Story) -> _Found:
    if specs.seal(story.job) != story.job["seal"]:
        yield Kind.EDITED_ROW, "what it asks for, or its key, is not what was read from the batch file"


def _history(story: Story) -> _Found:
    """Each event leaves the state that the one before it led to, by a step that the lifecycle has."""
    here: str | None = None
    for event in story.events:
        source, target = event["source"], event["target"]
        if source not in (_FIRST if here is None else (here,)):
            before = f"it stood at {here}" if here else "nothing came before"
            yield Kind.DELETED_ROW, f"its history has a gap: {_named(event)} left {source}, and {before}"
        elif TABLE.get((source, event["event"])) != target and (event["event"], source) != (LATE, target):
            yield Kind.EDITED_ROW, f"its history has a step that cannot be: {_named(event)} led from {source} to {target}"
        here = target


def _standing(story: Story) -> _Found:
    state = story.job["state"]
    end = story.events[-1]["target"] if story.events else None
    agrees = _agrees(story)
    if state not in (_FIRST if end is None else (end,)):
        ending = f"its history ends in {end}" if end else "it has no history"
        if agrees:
            yield Kind.DELETED_ROW, f"it is {state}, as its attempt says, but {ending}: events are gone"
        else:
            yield Kind.EDITED_ROW, f"it is {state}, but {ending}"
    elif agrees is False:
        attempts = ", ".join(attempt["state"] for attempt in story.attempts)
        yield Kind.EDITED_ROW, f"it is {state}, but of its attempts that cannot be: {attempts or 'there is none'}"


def _agrees(story: Story) -> bool | None:
    """Say whether the job's state is what its attempts make of it; None for a state that goes with any."""
    state, current = story.job["state"], _current(story)
    if state in _STANDS_WITH:
        return current is not None and current["state"] == _STANDS_WITH[state]
    if state in _ENDED_WITH:
        return any(attempt["state"] == _ENDED_WITH[state] for attempt in story.attempts)
    return None


def _attempts(story: Story) -> _Found:
    expected = story.job["attempts"]
    numbers = [attempt["number"] for attempt in story.attempts]
    known = {attempt["id"] for attempt in story.attempts}
    claimed = {event["attempt_id"] for event in story.events if event["event"] == Event.CLAIMED}
    gone = [number for number in range(1, expected + 1) if number not in numbers]
    if gone:
        yield Kind.DELETED_ROW, f"attempt {', '.join(map(str, gone))} of {expected} is not in the store"
    elif len(numbers) != expected:
        yield Kind.EDITED_ROW, f"it counts {expected} attempts and has {len(numbers)}"
    elif claimed - known:
        yield Kind.DELETED_ROW, "its history begins an attempt that is not in the store"
    for attempt in story.attempts:
        if attempt["id"] not in claimed:
            yield Kind.DELETED_ROW, f"the event that began attempt {attempt['number']} is not in the store"
    if known and _current(story) is None and not gone:
        yield Kind.EDITED_ROW, "it names an attempt that is not among its own"


def _charges(story: Story) -> _Found:
    for attempt in story.attempts:
        number, state, charged = attempt["number"], attempt["state"], attempt["charged"]
        if charged not in _MAY_COST[AttemptState(state)]:
            yield Kind.EDITED_ROW, f"attempt {number} is {state}, and charged: {charged} cannot be"
        elif charged != Charged.NO and not _is_settled(story, attempt):
            yield Kind.UNSETTLED_CHARGE, f"attempt {number} is {state}, charged: {charged}, and there is no result and no refusal"


def _is_settled(story: Story, attempt: Row) -> bool:
    match attempt["state"]:
        case AttemptState.OPEN | AttemptState.ACCEPTED | AttemptState.UNCERTAIN:
            return story.job["state"] not in FINAL
        case AttemptState.DELIVERED:
            images = _of(story, attempt)
            return bool(images) and all(image["state"] != ImageState.WANTED for image in images)
        case AttemptState.ABANDONED:
            return True  # by the user's word, which is an event
        case _:
            return attempt["reason"] is not None


def _images(story: Story) -> _Found:
    known = {attempt["id"] for attempt in story.attempts}
    for image in story.images:
        if image["attempt_id"] not in known:
            yield Kind.EDITED_ROW, f"image {image['index']} names an attempt that is not its job's"
    for attempt in story.attempts:
        indexes = [image["index"] for image in _of(story, attempt) if image["state"] != ImageState.EXTRA]
        gone = [index for index in range(attempt["part"], max(indexes, default=-1)) if index not in indexes]
        if gone:
            yield Kind.DELETED_ROW, f"image {', '.join(map(str, gone))} of attempt {attempt['number']} is not in the store"
    yield from _enough_images(story)


def _enough_images(story: Story) -> _Found:
    job, wanted = story.job, [image for image in story.images if image["state"] != ImageState.EXTRA]
    if job["state"] == State.SUCCEEDED and not job["partial"] and len(wanted) < job["n"]:
        yield Kind.DELETED_ROW, f"{job['n'] - len(wanted)} of its {job['n']} images are not in the store"


def _current(story: Story) -> Row | None:
    return next((attempt for attempt in story.attempts if attempt["id"] == story.job["attempt_id"]), None)


def _of(story: Story, attempt: Row) -> list[Row]:
    return [image for image in story.images if image["attempt_id"] == attempt["id"]]


def _named(event: Row) -> str:
    return f"{event['event']} at {text_of(event['at'])}"

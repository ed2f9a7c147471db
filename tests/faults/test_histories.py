"""Random histories of a store: news, deaths, duplicates, steps of the clock and words of the user, against an honest provider.

After every step the invariants of reliability.md a.6 are read from the database itself, not from what the program remembers.
"""

import asyncio
import secrets
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.jobs.attempts import LIVE, AttemptState, Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.lifecycle import FINAL, Event, State, after
from orchestrator.store.bookkeeping import BudgetReached
from orchestrator.store.columns import NANO
from orchestrator.store.door import Stale
from orchestrator.store.operators import Selection
from orchestrator.store.records import Accepted, Delivery, Job, NewAttempt, NewImage, SavedFile
from orchestrator.store.store import Store
from tests.clock import StillClock
from tests.store.making import LOST, REFUSED, delivery, ended, failed, first_image, new_job, saved, verbs
from tests.store.making import load as load_batch

pytestmark = pytest.mark.faults

T = TypeVar("T")
Verb = Callable[[Job], Awaitable[Job]]
JOBS = 3
WORST = Decimal("0.04")
"""What a job of `new_job` may cost; it costs 0.03."""
BUDGET = Decimal("0.10")
PICK = st.integers(0, JOBS - 1)
WORDS: Mapping[State, Sequence[str]] = {
    State.PENDING: ("cancel",),
    State.READY: ("cancel", "give_up"),
    State.UNCERTAIN: ("resubmit", "not_charged", "give_up"),
    **dict.fromkeys((State.FAILED, State.EXPIRED, State.CANCELLED), ("retry",)),
}
_LIVE = tuple(str(state) for state in LIVE)
_BY_USER = {Event.RETRIED, Event.RESUBMITTED, Event.NOT_CHARGED, Event.GIVEN_UP, Event.ADOPTED}


class Histories(RuleBasedStateMachine):
    """One store, one provider that remembers what it charged, and everything that can happen between them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "orchestrator.db"
        self.clock = StillClock()
        self.charged: set[str] = set()
        """Attempts that the provider took money for."""
        self.allowed: dict[int, int] = {}
        """Job -> times the user's word let it be paid again."""
        self.spool: set[str] = set()
        """Attempts whose raw answer is on the disk."""
        self.files: set[str] = set()
        """Results that are on the disk."""
        self.known: dict[int, Job] = {}
        """Jobs as the engine remembers them, perhaps no longer as they are."""
        self.ways = self._ways()

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(asyncio.ensure_future(work, loop=self.loop))

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.store = await self.stack.enter_async_context(Store.open(self.path, self.clock))
        self.go = verbs(self.store)

    @initialize()
    def begin(self) -> None:
        async def load() -> None:
            await self._open()
            loaded = await load_batch(self.store, *(new_job(position) for position in range(JOBS)))
            self.batch = loaded.batch_id
            await self.store.set_budget(self.batch, BUDGET)

        self.run(load())
        self.witness = sqlite3.connect(self.path)
        self.witness.row_factory = sqlite3.Row
        self._remember()

    def teardown(self) -> None:
        self.witness.close()
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    def _remember(self) -> None:
        """Learn every job anew, as an engine that starts does."""

        async def all_jobs() -> dict[int, Job]:
            found = await self.store.candidates(account="studio", batches=[self.batch], only=None, limit=JOBS)
            for state in State:
                found += await self.store.in_state(state, batches=[self.batch], after=0, limit=JOBS)
            return {job.id: job for job in found}

        self.known = self.known | self.run(all_jobs())

    def _do(self, job: Job, verb: Verb) -> None:
        """Let the engine do something to a job, which may have moved since it was last seen."""
        try:
            self.known[job.id] = self.run(verb(job))
        except BudgetReached:
            assert self._held() + WORST > BUDGET
        except Stale:
            assert self._row(job.id)["state"] != job.state or self._row(job.id)["attempt_id"] != job.attempt_id
            self.known[job.id] = self._fresh(job)

    def _fresh(self, job: Job) -> Job:
        found = self.run(self.store.doubts.attempt(str(self._row(job.id)["attempt_id"])))
        return found[0] if found else job

    def _row(self, job_id: int) -> dict[str, Any]:
        return self._rows("SELECT * FROM job WHERE id = ?", job_id)[0]

    def _rows(self, question: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self.witness.execute(question, values)]

    # --- what the engine does ---------------------------------------------------------------------------------------------------

    @rule(pick=PICK, way=st.integers(0, 5))
    def go_on(self, pick: int, way: int) -> None:
        """Let the engine do with a job one of the things that its state, as far as the engine knows, allows."""
        job = self.known[sorted(self.known)[pick]]
        ways = self.ways.get(job.state)
        if ways:
            self._do(job, ways[way % len(ways)])

    def _ways(self) -> Mapping[State, Sequence[Verb]]:
        gone = Failure(code=ErrorCode.RESULT_EXPIRED, message="HTTP 404")
        missing = Failure(code=ErrorCode.TASK_MISSING, message="HTTP 404")
        return {
            State.PENDING: (self._claim_and_send, self._claim_in_vain),
            State.SUBMITTING: (
                lambda job: self._if_charged(job, self.go.accept, _task(job)),
                lambda job: self._if_charged(job, self.go.deliver, delivery()),
                lambda job: self._if_charged(job, self.go.deliver, self._spooled(job)),
                lambda job: self._if_free(job, _refuse(self)),
                lambda job: self._if_free(job, _throttle(self)),
                lambda job: self.go.doubt(job, LOST, Phase.SENT, next_at=None),
            ),
            State.UNCERTAIN: (
                lambda job: self._if_charged(job, self.go.accept, _task(job)),
                lambda job: self.go.look_again(job, "nothing found", next_at=None),
            ),
            State.RUNNING: (
                lambda job: self.go.deliver(job, delivery()),
                lambda job: self.go.doubt(job, missing, Phase.ANSWERED, next_at=None),
                lambda job: self.go.fail_task(job, failed(), REFUSED),
            ),
            State.READY: (self._start_download,),
            State.DOWNLOADING: (
                lambda job: self.go.finish(job, [(first_image(job), self._written(job))]),
                lambda job: self.go.postpone_download(job, [], "cut", next_at=self.clock.now()),
                lambda job: self.go.hold_download(job, gone),
                lambda job: self.go.lose(job, [first_image(job)], gone),
            ),
        }

    async def _start_download(self, job: Job) -> Job:
        return await self.go.start_download(job)

    async def _claim_and_send(self, job: Job) -> Job:
        claimed = await self._claim_in_vain(job)
        self.charged.add(str(claimed.attempt_id))
        return claimed

    async def _claim_in_vain(self, job: Job) -> Job:
        claimed = await self.go.claim(job, _intent())
        (attempt,) = self._rows("SELECT * FROM attempt WHERE id = ?", claimed.attempt_id)
        assert attempt["state"] == "open", "sent before its intent was committed"  # I1
        return claimed

    def _spooled(self, job: Job) -> Delivery:
        self.spool.add(str(job.attempt_id))
        inline = NewImage(index=0, base64="a marker of where it lies")
        return replace(delivery(), images=(inline,), accepted=Accepted(spool=str(job.attempt_id), http_status=200))

    def _written(self, job: Job) -> SavedFile:
        name = f"mugs/{job.key}-0.{len(self.files)}.png"
        self.files.add(name)
        return saved(name)

    async def _if_charged(self, job: Job, verb: Callable[..., Awaitable[Job]], facts: object) -> Job:
        return await verb(job, facts) if job.attempt_id in self.charged else job

    async def _if_free(self, job: Job, verb: Callable[[Job], Awaitable[Job]]) -> Job:
        return job if job.attempt_id in self.charged else await verb(job)

    # --- what happens to it -----------------------------------------------------------------------------------------------------

    @rule()
    def die_and_start_again(self) -> None:
        self.run(self.stack.aclose())
        self.run(self._open())
        self._remember()
        for job in [job for job in self.known.values() if job.state is State.SUBMITTING]:
            self.known[job.id] = self.run(self.go.doubt(job, LOST, Phase.SENT, next_at=None))  # I3

    @rule(pick=PICK, old=st.sampled_from([State.SUBMITTING, State.RUNNING, State.UNCERTAIN, State.DOWNLOADING]))
    def hear_old_news(self, pick: int, old: State) -> None:
        """Say something to a job that has long moved on: nothing may change."""
        job = list(self.known.values())[pick]
        if job.state is old or job.attempt_id is None:
            return
        before = self._everything()
        with pytest.raises(Stale):  # I7
            self.run(_news_for(self, _in_state(job, old)))
        assert self._everything() == before

    @rule(seconds=st.sampled_from([-259_200.0, -300.0, 1.0, 300.0, 7_200.0]))
    def step_the_clock(self, seconds: float) -> None:
        self.clock.move(seconds)

    # --- what the user says -----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, number=st.integers(0, 2))
    def say(self, pick: int, number: int) -> None:
        """Let the user say of a job one of the things that can be said of it, whatever the engine remembers."""
        job = self.known[sorted(self.known)[pick]]
        words = WORDS.get(State(self._row(job.id)["state"]), ())
        if not words:
            return
        word = words[number % len(words)]
        for chosen in self.run(getattr(self.store.operators, word)(Selection(keys=(job.key,)))):
            if word not in ("cancel", "give_up"):
                self.allowed[chosen.id] = self.allowed.get(chosen.id, 0) + 1

    @rule()
    def look_at_the_store_again(self) -> None:
        """Learn what others did, as an engine does once a second."""
        self._remember()

    # --- what must hold ---------------------------------------------------------------------------------------------------------

    def _everything(self) -> list[list[dict[str, Any]]]:
        return [self._rows(f"SELECT * FROM {table}") for table in ("job", "attempt", "image", "event")]  # noqa: S608

    @invariant()
    def no_job_has_two_live_attempts(self) -> None:
        marks = ", ".join("?" * len(_LIVE))
        many = self._rows(f"SELECT job_id FROM attempt WHERE state IN ({marks}) GROUP BY job_id HAVING count(*) > 1", *_LIVE)  # noqa: S608
        assert many == []  # I2

    @invariant()
    def nobody_pays_twice_unasked(self) -> None:
        for attempt in self._rows("SELECT job_id, count(*) AS paid FROM attempt WHERE charged <> 'no' GROUP BY job_id"):
            assert attempt["paid"] <= 1 + self.allowed.get(attempt["job_id"], 0)

    @invariant()
    def every_charge_is_in_the_books(self) -> None:
        books = {row["id"]: row["charged"] for row in self._rows("SELECT id, charged FROM attempt")}
        told = {row["attempt_id"] for row in self._rows("SELECT attempt_id FROM event WHERE event = 'not_charged'")}
        assert all(books[attempt] in ("yes", "possible") for attempt in self.charged - told)  # I10

    def _held(self) -> Decimal:
        """Return what the attempts cost, or may cost at worst, by their own rows."""
        rows = self._rows("SELECT cost_settled, cost_reserved FROM attempt WHERE charged <> 'no'")
        held = (row["cost_reserved"] if row["cost_settled"] is None else row["cost_settled"] for row in rows)
        return Decimal(sum(amount or 0 for amount in held)) / NANO

    @invariant()
    def the_budget_is_kept_and_its_books_balance(self) -> None:
        for batch in self._rows("SELECT booked FROM batch"):
            assert Decimal(batch["booked"]) / NANO == self._held() <= BUDGET

    @invariant()
    def what_lies_in_an_answer_is_on_the_disk(self) -> None:
        question = "SELECT attempt.spool FROM image JOIN attempt ON attempt.id = image.attempt_id WHERE image.base64 IS NOT NULL"
        assert all(row["spool"] in self.spool for row in self._rows(question))  # I5

    @invariant()
    def a_saved_image_has_a_file_of_its_own(self) -> None:
        named = [row["file"] for row in self._rows("SELECT file FROM image WHERE file IS NOT NULL")]
        assert len(named) == len(set(named))
        assert set(named) <= self.files  # I6

    @invariant()
    def a_paid_result_is_found_whatever_the_clock_says(self) -> None:
        waiting = {row["id"] for row in self._rows("SELECT id FROM job WHERE state = 'ready'")}
        if waiting:
            found = self.run(self.store.in_state(State.READY, batches=[self.batch], after=0, limit=JOBS))
            assert {job.id for job in found} == waiting  # I9

    @invariant()
    def what_a_state_implies_is_there(self) -> None:
        question = """
            SELECT job.id, job.state, attempt.state AS standing, attempt.remote_id,
                (SELECT count(*) FROM image WHERE image.job_id = job.id AND state = 'wanted'
                    AND image.attempt_id = job.attempt_id) AS wanted,
                (SELECT count(*) FROM image WHERE image.job_id = job.id AND state = 'saved'
                    AND (file IS NULL OR sha256 IS NULL)) AS unhashed
            FROM job LEFT JOIN attempt ON attempt.id = job.attempt_id
        """
        for row in self._rows(question):
            if row["state"] == "running":
                assert (row["standing"], bool(row["remote_id"])) == ("accepted", True)  # I4
            if row["state"] == "ready":
                assert (row["standing"], row["wanted"] > 0) == ("accepted", True)
            if row["state"] == "succeeded":
                assert (row["wanted"], row["unhashed"]) == (0, 0)  # I6

    @invariant()
    def every_history_is_a_way_through_the_lifecycle(self) -> None:
        state: dict[int, str] = {}
        for event in self._rows("SELECT * FROM event WHERE source IS NOT NULL ORDER BY id"):
            before = state.get(event["job_id"], "pending")
            assert event["source"] == before
            assert after(State(event["source"]), Event(event["event"])) == event["target"]
            if State(before) in FINAL:  # I8
                assert (event["actor"], event["event"] in _BY_USER) == ("user", True)
            state[event["job_id"]] = event["target"]
        for job in self._rows("SELECT id, state FROM job"):
            assert state.get(job["id"], "pending") == job["state"]


def _intent() -> NewAttempt:
    return NewAttempt(id=secrets.token_hex(16), worker="test")


def _task(job: Job) -> Accepted:
    return Accepted(remote_id=f"task-of-{job.attempt_id}", http_status=200)


def _refuse(histories: Histories) -> Callable[[Job], Awaitable[Job]]:
    return lambda job: histories.go.refuse(job, ended(AttemptState.REFUSED, REFUSED), REFUSED)


def _throttle(histories: Histories) -> Callable[[Job], Awaitable[Job]]:
    end = ended(AttemptState.THROTTLED)
    return lambda job: histories.go.postpone(job, end, next_at=histories.clock.now(), tries=0, throttles=1)


def _in_state(job: Job, state: State) -> Job:
    return replace(job, state=state)


def _news_for(histories: Histories, job: Job) -> Awaitable[Job]:
    match job.state:
        case State.SUBMITTING:
            return histories.go.doubt(job, LOST, Phase.SENT, next_at=None)
        case State.RUNNING:
            return histories.go.deliver(job, delivery())
        case State.UNCERTAIN:
            return histories.go.look_again(job, "nothing found", next_at=None)
        case _:
            return histories.go.finish(job, [(first_image(job), saved())])


class TestHistories(Histories.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=25, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )

"""Rows that know what their state implies: jobs brought to a state by the store's own verbs, as the engine would."""

import secrets
from collections.abc import Callable
from decimal import Decimal

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.attempts import AttemptState, Charged, Phase
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.keys import fingerprint
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.secrets import Redactor
from orchestrator.jobs.spec import JobSpec
from orchestrator.store.loading import Changed, Loaded, NewJob
from orchestrator.store.records import Accepted, AttemptEnd, Delivery, Image, Job, NewAttempt, NewImage, SavedFile
from orchestrator.store.rescuing import Rescuing
from orchestrator.store.store import Store

ACCOUNT = AccountSettings(name="studio", provider="toapis", base_url="https://toapis.com", api_key_env="TOAPIS_API_KEY")
LOST = Failure(code=ErrorCode.ANSWER_LOST, message="the server closed the connection without an answer")
REFUSED = Failure(code=ErrorCode.REFUSED, message="not allowed", provider_code="moderation_blocked", http_status=400)


def new_job(position: int, key: str | None = None, **changes: object) -> NewJob:
    fields: dict[str, object] = {
        "key": key or f"job-{position}",
        "account": ACCOUNT.name,
        "provider": "toapis",
        "model": "gpt-4o-image",
        "prompt": f"Mug number {position}",
        **changes,
    }
    spec = JobSpec(**fields)  # type: ignore[arg-type]
    cost = Decimal("0.02")
    return NewJob(position=position, spec=spec, fingerprint=fingerprint(spec), cost_likely=cost, cost_worst=cost * 2)


async def load(store: Store, *jobs: NewJob, batch: str = "mugs", changed: Changed = Changed.ERROR) -> Loaded:
    loading = store.loading()
    await loading.begin()
    if jobs:
        await loading.add(jobs)
    try:
        return await loading.switch(batch, f"{batch}.yaml", [ACCOUNT], changed)
    finally:
        await loading.discard()


async def pending(store: Store, count: int = 1) -> list[Job]:
    loaded = await load(store, *(new_job(position) for position in range(count)))
    return await store.candidates(account=ACCOUNT.name, batches=[loaded.batch_id], only=None, limit=count)


def verbs(store: Store, observe: Callable[[Job, State], None] = lambda _job, _target: None) -> Rescuing:
    return store.transitions("test", observe, Redactor())


def intent() -> NewAttempt:
    return NewAttempt(id=secrets.token_hex(16), worker="test")


def delivery(*urls: str, missing: int = 0) -> Delivery:
    images = tuple(NewImage(index=i, url=url, deadline=2_000.0) for i, url in enumerate(urls or ("https://f.example/a.png",)))
    accepted = Accepted(remote_id="task_1", http_status=200)
    return Delivery(images=images, known_at=1_000.0, deadline=2_000.0, cost=Decimal("0.03"), missing=missing, accepted=accepted)


def saved(name: str = "mugs/job-0-0.png") -> SavedFile:
    return SavedFile(file=name, sha256="ab" * 32, bytes=9, format="png", width=4, height=4)


def first_image(job: Job, index: int = 0) -> Image:
    return Image(attempt_id=str(job.attempt_id), index=index)


def ended(state: AttemptState, failure: Failure | None = None) -> AttemptEnd:
    return AttemptEnd(state=state, charged=Charged.NO, phase=Phase.ANSWERED, failure=failure)


def failed() -> AttemptEnd:
    """Return the end of a task that failed at a provider which does not say what it cost."""
    return AttemptEnd(state=AttemptState.FAILED, charged=Charged.POSSIBLE, phase=Phase.ANSWERED, failure=REFUSED)


async def in_state(store: Store, state: State) -> Job:  # noqa: PLR0911 - a path with stops
    """Return a fresh job in one of the states that the engine reaches."""
    go = verbs(store)
    job = (await pending(store))[0]
    if state is State.PENDING:
        return job
    job = await go.claim(job, intent())
    if state is State.SUBMITTING:
        return job
    if state is State.UNCERTAIN:
        return await go.doubt(job, LOST, Phase.SENT, next_at=None)
    if state is State.FAILED:
        return await go.refuse(job, ended(AttemptState.REFUSED, REFUSED), REFUSED)
    job = await go.accept(job, Accepted(remote_id="task_1", http_status=200))
    if state is State.RUNNING:
        return job
    job = await go.deliver(job, delivery())
    if state is State.READY:
        return job
    job = await go.start_download(job)
    if state is State.EXPIRED:
        gone = Failure(code=ErrorCode.RESULT_EXPIRED, message="HTTP 404")
        return await go.lose(job, [first_image(job)], gone)
    if state is State.SUCCEEDED:
        return await go.finish(job, [(first_image(job), saved())])
    assert state is State.DOWNLOADING
    return job

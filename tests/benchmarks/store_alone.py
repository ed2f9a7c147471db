"""The store without the network: tasks that walk jobs through every step of a success, each step awaited until it is durable."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.clock import SystemClock
from orchestrator.jobs.keys import fingerprint
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.secrets import Redactor
from orchestrator.jobs.spec import JobSpec
from orchestrator.store.loading import Changed, NewJob
from orchestrator.store.records import Accepted, Delivery, Image, Job, NewAttempt, NewImage, SavedFile
from orchestrator.store.store import Store
from orchestrator.store.transitions import Transitions

STEPS = 5
"""Claim, accept, deliver, start of the download, finish."""

_SPEC = JobSpec(key="", account="bench", provider="toapis", model="gpt-4o-image", prompt="a red kite", n=1)
_ACCOUNT = AccountSettings(name="bench", provider="toapis", base_url="http://127.0.0.1", api_key_env="BENCHMARK_KEY")
_SAVED = SavedFile(file="benchmark/job-0.png", sha256="ab" * 32, bytes=300, format="png", width=64, height=64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What one run showed."""

    steps_per_second: float
    steps_per_commit: float


async def walk(folder: Path, *, jobs: int, tasks: int) -> Pace:
    """Walk so many jobs to their end with so many tasks at once, in a new store below `folder`."""
    async with Store.open(folder / "store.db", SystemClock()) as store:
        waiting = iter(await _loaded(store, jobs))
        transitions = store.transitions("benchmark", lambda _job, _state: None, Redactor())
        commits, began_at = store.door.commits, time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(_walk(transitions, waiting))
        seconds, commits = time.perf_counter() - began_at, store.door.commits - commits
    return Pace(steps_per_second=jobs * STEPS / seconds, steps_per_commit=jobs * STEPS / commits)


async def _loaded(store: Store, jobs: int) -> list[Job]:
    loading = store.loading()
    specs = [replace(_SPEC, key=f"job-{number}") for number in range(jobs)]
    await loading.begin()
    await loading.add([NewJob(position=at, spec=spec, fingerprint=fingerprint(spec)) for at, spec in enumerate(specs)])
    loaded = await loading.switch("benchmark", "benchmark.yaml", [_ACCOUNT], Changed.ERROR)
    return await store.candidates(account="bench", batches=[loaded.batch_id], only=None, limit=jobs)


async def _walk(transitions: Transitions, waiting: Iterator[Job]) -> None:
    for job in waiting:
        job = await transitions.claim(job, NewAttempt(id=f"attempt-{job.id}", worker="benchmark"))  # noqa: PLW2901
        job = await transitions.accept(job, Accepted(remote_id=f"task-{job.id}", http_status=200))  # noqa: PLW2901
        job = await transitions.deliver(job, _delivery(job))  # noqa: PLW2901
        job = await transitions.start_download(job)  # noqa: PLW2901
        job = await transitions.finish(job, [(Image(attempt_id=str(job.attempt_id), index=0), _SAVED)])  # noqa: PLW2901
        if job.state is not State.SUCCEEDED:
            raise RuntimeError(f"{job.key} ended {job.state}")


def _delivery(job: Job) -> Delivery:
    image = NewImage(index=0, url=f"http://127.0.0.1/files/{job.id}.png", deadline=2e9)
    accepted = Accepted(remote_id=job.remote_id, http_status=200)
    return Delivery(images=(image,), known_at=1e9, deadline=2e9, cost=Decimal("0.03"), accepted=accepted)

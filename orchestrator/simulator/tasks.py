"""What was ordered and accepted, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.simulator.drawing import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from orchestrator.simulator.journal import Journal
    from orchestrator.simulator.ledger import Reference

__all__ = ["Order", "Task", "TaskBook"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A paid request that passed its provider's checks; `width` and `height` are the pixels it will get.

    `size`, `quality` and `background` are what the answer echoes. `delivery` says how results reach the client.
    """

    model: str
    prompt: str = field(repr=False)
    n: int = 1
    width: int = 1024
    height: int = 1024
    size: str = "1024x1024"
    quality: str = "high"
    background: str = "opaque"
    format: Literal["png", "jpeg", "webp"] = "png"
    compression: int = 100
    high_fidelity: bool = False
    delivery: Literal["b64", "url"] = "url"
    client_business_id: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    references: tuple[Reference, ...] = ()
    mask: Reference | None = None
    stream: bool = False
    partial_images: int = 0
    response: Mapping[str, Any] | None = None
    """What a response was asked for besides its picture: its text model, mode and tool, as they came."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """An accepted order; times are wall time in seconds, `duration` is what drawing it takes."""

    id: str
    provider: str
    owner: str
    order: Order
    accepted_at: float
    duration: float
    fails: bool = False

    @property
    def completed_at(self) -> float:
        """When its results are there, or its failure is."""
        return self.accepted_at + self.duration

    def pictures(self, side: int | None) -> list[Picture]:
        """The results, as ordered, or squares of `side` pixels."""
        order = self.order
        return [
            Picture(
                prompt=order.prompt,
                index=index,
                width=side or order.width,
                height=side or order.height,
                format=order.format,
                transparent=order.background == "transparent",
                compression=order.compression,
            )
            for index in range(order.n)
        ]


class TaskBook:
    """Finds accepted tasks by id, or by the id their client gave them."""

    def __init__(self, journal: Journal, identifiers: Random) -> None:
        self._journal = journal
        self._identifiers = identifiers
        self._tasks: dict[str, Task] = {}
        self._by_client_id: dict[tuple[str, str], Task] = {}
        for task in journal.tasks:
            self._enter(task)

    def new_id(self) -> str:
        """An id nobody has; a restart repeats the random numbers, so old ids are stepped over."""
        while (fresh := f"task_img_{self._identifiers.randbytes(12).hex()}") in self._tasks:
            pass
        return fresh

    def remember(self, task: Task) -> None:
        """Keep a task, across restarts where there is a journal."""
        self._journal.write_task(task)
        self._enter(task)

    def get(self, task_id: str) -> Task | None:
        """The task with this id, whoever owns it."""
        return self._tasks.get(task_id)

    def find(self, owner: str, reference: str, *, by_client_id: bool) -> Task | None:
        """A task of this owner by its id, or by the newest use of a client's id (providers.md 1.1)."""
        task = self._tasks.get(reference)
        if task is not None and task.owner == owner:
            return task
        return self._by_client_id.get((owner, reference)) if by_client_id else None

    def _enter(self, task: Task) -> None:
        self._tasks[task.id] = task
        if task.order.client_business_id:
            self._by_client_id[task.owner, task.order.client_business_id] = task

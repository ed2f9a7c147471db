"""The accepted orders, and how they are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from orchestrator.simulator.journal import Journal
    from orchestrator.simulator.orders import Task

__all__ = ["TaskBook"]


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

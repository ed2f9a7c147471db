"""Idempotency keys, as providers keep them that honour one: the same key and body are served once, and answered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.simulator.refusal import Refusal

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.options import SimulatorOptions
    from orchestrator.simulator.orders import Task

__all__ = ["Repeats"]


@dataclass(kw_only=True)
class _Served:
    """What was ordered under one key, and whether its first answer is still on its way."""

    at: float
    body_sha256: str
    task: Task
    is_open: bool = True


class Repeats:
    """Remembers keys for `idempotency_ttl` seconds, each for its owner alone (draft-ietf-httpapi-idempotency-key-header-07)."""

    def __init__(self, options: SimulatorOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._served: dict[tuple[str, str], _Served] = {}

    def known(self, owner: str, key: str | None, body_sha256: str) -> Task | None:
        """The task that this key has ordered before; raises Refusal while its answer is under way, and for another body."""
        served = self._served.get((owner, key)) if key else None
        if served is None or self._clock.monotonic() - served.at > self._options.idempotency_ttl:
            return None
        if served.body_sha256 != body_sha256:
            reused = "The idempotency key was reused with another request body."
            raise Refusal(reused, status=422, code="idempotency_key_reused")
        if served.is_open:
            raise Refusal("A request with this idempotency key is in progress.", status=409, code="request_in_progress")
        return served.task

    def began(self, owner: str, key: str | None, body_sha256: str, task: Task) -> None:
        """Remember what a key has ordered."""
        if key:
            self._served[owner, key] = _Served(at=self._clock.monotonic(), body_sha256=body_sha256, task=task)

    def answered(self, owner: str, key: str | None) -> None:
        """Let a key be asked again: its first request is over."""
        if key:
            self._served[owner, key].is_open = False

"""What is ordered, and what an accepted order is until it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.simulator.drawing import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.simulator.ledger import Reference

__all__ = ["Order", "Task"]


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

"""The right to send one request."""

from dataclasses import dataclass


@dataclass(slots=True)
class Permit:
    """Held from the moment a slot is taken until it is given back."""

    closures: int
    """How often the gate had been closed then: tells whether the request went before it closed last."""
    images: int = 1
    """Images that the request asks for."""
    sent_at: float | None = None
    """Monotonic seconds at which it left; None before."""

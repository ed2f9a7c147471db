"""A request the simulated provider says no to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.simulator.ledger import Outcome

__all__ = ["Refusal"]


class Refusal(Exception):
    """Raised while a request is judged; each provider turns it into an answer of its own shape.

    `status` is the HTTP status, `code`, `kind` (the body's `type`) and `param` are the provider's words,
    `details` are further members of the error object.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | int | None = None,
        kind: str = "invalid_request_error",
        param: str | None = None,
        outcome: Outcome = "rejected",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.kind = kind
        self.param = param
        self.outcome = outcome
        self.details = dict(details or {})
        self.headers: dict[str, str] = {}

"""News about a job from outside. Polls, submissions and webhooks all speak this one form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from orchestrator.jobs.failures import Failure
from orchestrator.jobs.spec import Json


class Status(StrEnum):
    """A provider's status word, translated; a word no table knows is `RUNNING`, never success (providers.md 0.4)."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class InlineBytes:
    """Base64 text that stands in the answer itself: where it lies in the answer's body."""

    offset: int
    """Bytes from the start of the body to the first base64 character."""
    length: int
    """Bytes of base64 text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One image of an answer: exactly one of `url` and `base64`."""

    url: str | None = field(default=None, repr=False)
    base64: str | None = field(default=None, repr=False)
    """Base64 text or data URL; a long one is the spool's marker for where it lies."""
    revised_prompt: str | None = field(default=None, repr=False)
    remote_id: str | None = None
    """The provider's own name of this image, by which a later request can go on with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a provider says of one job."""

    status: Status
    word: str | None = None
    """The provider's own status word."""
    remote_id: str | None = None
    attempt_id: str | None = None
    """Our own reference, where the provider repeats it."""
    outputs: tuple[Output, ...] = ()
    completed_at: float | None = None
    """Unix seconds, by the provider's clock."""
    expires_at: float | None = None
    """Unix seconds at which the provider says the results go."""
    progress: int | None = None
    """Percent."""
    usage: Mapping[str, Json] = field(default_factory=dict)
    """The provider's own units."""
    cost: Decimal | None = None
    """USD, where the provider names a figure of its own."""
    failure: Failure | None = None
    """Present exactly when `status` is failed or cancelled."""
    request_id: str | None = None

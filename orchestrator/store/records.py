"""What the store hands out and takes in: frozen values, never rows that change behind one's back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from orchestrator.jobs.attempts import AttemptState, Charged, ImageState, Phase
from orchestrator.jobs.failures import Failure
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.spec import JobSpec, Json


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the store last knew it."""

    id: int
    batch_id: int
    batch: str
    spec: JobSpec
    state: State
    attempt_id: str | None = None
    """The latest attempt, live or ended."""
    remote_id: str | None = None
    """The latest attempt's task id."""
    attempts: int = 0
    tries: int = 0
    """Failures that count against the job; waiting out an account's limit is none."""
    throttles: int = 0
    """Postponements in a row."""
    next_at: float | None = None
    known_at: float | None = None
    """Unix seconds since which the results are known to exist."""
    deadline: float | None = None
    """Unix seconds by which the earliest result URL dies."""
    answered_at: float | None = None
    """Unix seconds at which the latest attempt was accepted."""
    partial: bool = False
    """Whether fewer images came than were asked for."""
    part: int = 0
    """Which request of the job is next or under way, from 0: a job with `fan_out` takes several, one after another."""
    parts_saved: int = 0
    """Earlier requests of the job whose image is saved."""
    children: bool = False
    """Whether other jobs need its images."""
    cost_likely: Decimal | None = None
    """USD of one request."""
    cost_worst: Decimal | None = None
    cost_reserved: Decimal | None = None
    """USD that the latest attempt may cost at worst, as it was known when the attempt began."""

    def changed(self, **changes: Any) -> "Job":  # noqa: ANN401
        """Return the job with other values: what `dataclasses.replace` does in ten times the time, and every step needs it."""
        job = object.__new__(Job)
        job.__dict__.update(self.__dict__, **changes)
        return job

    @property
    def key(self) -> str:
        """The job's name in its batch."""
        return self.spec.key

    @property
    def account(self) -> str:
        """The account that pays."""
        return self.spec.account


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedParent:
    """Which attempt of a parent, and which bytes of its image, a child is made from."""

    slot: int
    attempt_id: str | None
    sha256: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAttempt:
    """What is written down before the first byte of a paid request leaves."""

    id: str
    token_hash: str | None = None
    """SHA-256 of the callback path's token."""
    request_sha256: str | None = None
    parents: tuple[UsedParent, ...] = ()
    idempotency_key: str | None = None
    """Sent along in the account's `idempotency_header`; None where it has none."""
    worker: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What an accepting answer said."""

    remote_id: str | None = None
    spool: str | None = None
    """Name of the spooled raw answer."""
    http_status: int | None = None
    request_id: str | None = None
    words: Mapping[str, Json] | None = None
    """The provider's raw words that no column holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptEnd:
    """How an attempt ended."""

    state: AttemptState
    charged: Charged
    phase: Phase
    failure: Failure | None = None
    cost: Decimal | None = None
    """USD, where the provider says what an attempt without an image cost."""
    usage: Mapping[str, Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewImage:
    """A result that is known and not yet on disk, or one more than was asked for."""

    index: int
    url: str | None = field(default=None, repr=False)
    base64: str | None = field(default=None, repr=False)
    deadline: float | None = None
    revised_prompt: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """The results of an attempt."""

    images: tuple[NewImage, ...]
    known_at: float
    deadline: float | None
    usage: Mapping[str, Json] | None = None
    cost: Decimal | None = None
    missing: int = 0
    """Images asked for and not delivered."""
    accepted: Accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One output image of a job."""

    attempt_id: str
    index: int
    state: ImageState = ImageState.WANTED
    url: str | None = field(default=None, repr=False)
    base64: str | None = field(default=None, repr=False)
    deadline: float | None = None
    tries: int = 0
    refetches: int = 0
    file: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedFile:
    """A whole image on disk: decoded, hashed, fsynced, under its final name."""

    file: str
    """`BATCH/KEY-0.png`, relative to the output folder."""
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    degraded: str | None = None
    """In words what it lacks of what was asked for."""

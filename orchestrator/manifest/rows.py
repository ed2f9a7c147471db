"""What a manifest says of a job: plain data, filled by the store's reader, shaped here (design.md section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from orchestrator.jobs.attempts import Charged
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.spec import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestParent:
    """Another job's image that goes into this one."""

    role: str
    """`reference`, `mask` or `continues`."""
    job: str
    """The other job's key."""
    image: int
    """Which of its images, from 0."""
    attempt: int | None = None
    """The number of its attempt whose image was used; None as long as none was."""
    sha256: str | None = None
    """Hex digest of the very bytes that were used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestImage:
    """One image of a job: on disk, or still or for ever missing, and then without a file. Times in Unix seconds."""

    index: int
    file: str | None = None
    """`BATCH/KEY-0.png`, relative to the output folder."""
    sha256: str | None = None
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    revised_prompt: str | None = field(default=None, repr=False)
    degraded: str | None = None
    """In words what the image lacks of what was asked, such as another size; None when it is as asked."""
    source_expires_at: float | None = None
    downloaded_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestAttempt:
    """One submission, whether it was charged or not. Times in Unix seconds, cost in USD."""

    number: int
    part: int = 0
    started_at: float
    ended_at: float | None = None
    outcome: str
    phase: str | None = None
    """How far its request got, as far as is known: `none`, `connecting`, `sent` or `answered`."""
    elapsed: float | None = None
    """Seconds from writing it down to its answer, or to the moment at which none could be waited for any more."""
    http_status: int | None = None
    request_id: str | None = None
    client_ref: str | None = None
    remote_id: str | None = None
    charged: Charged
    cost: Decimal | None = None
    cost_worst: Decimal | None = None
    """What it was expected to cost at worst: at stake while it is only possible that it was charged."""
    usage: Mapping[str, Json] | None = None
    """In the provider's own units."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestCost:
    """What a job was expected to cost and what it did; None is unknown, never zero."""

    estimated: Decimal | None = None
    actual: Decimal | None = None
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestError:
    """Why a job did not succeed, in our words and in the provider's."""

    code: ErrorCode
    provider_code: str | None = None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestJob:
    """One job with its present state. Field order is the order in the file; times in Unix seconds."""

    batch: str
    key: str
    state: State
    partial: bool = False
    account: str
    provider: str
    model: str
    prompt: str = field(repr=False)
    params: Mapping[str, Json] = field(default_factory=dict)
    references: Sequence[Json] = ()
    """Paths, URLs, or `{job, image}`."""
    mask: Json = None
    continues: str | None = None
    parents: tuple[ManifestParent, ...] = ()
    """What it was made from of other jobs: first what it continues, then the references in their order, then the mask."""
    meta: Mapping[str, Json] = field(default_factory=dict)
    images: tuple[ManifestImage, ...] = ()
    attempts: tuple[ManifestAttempt, ...] = ()
    cost: ManifestCost = ManifestCost()
    error: ManifestError | None = None
    created_at: float
    finished_at: float | None = None

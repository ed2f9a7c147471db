"""An account: where jobs are sent, what throttles them, who pays. Never holds a key, only the name of its variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from orchestrator.jobs.spec import Json

SIMULATOR = "simulator"
"""The `base_url` that starts a simulator in this process."""


class OnError(StrEnum):
    """What the user knows about a provider's errors after the body was sent."""

    HOLD = "hold"
    RETRY = "retry"


class OnUncertain(StrEnum):
    """What becomes of an attempt whose answer was lost, once nothing can be found out any more."""

    HOLD = "hold"
    RESUBMIT = "resubmit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds (reliability.md section 0): a paid time-out is the most expensive error, so it outlasts the worst case."""

    connect: float = 10.0
    submit_task: float = 120.0
    submit_synchronous: float = 600.0
    poll: float = 30.0
    upload: float = 300.0
    download: float = 300.0
    download_stall: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSettings:
    """Everything an account can be told (design.md section 6). Durations in seconds, sizes in bytes."""

    name: str
    provider: str
    """Adapter or family."""
    base_url: str
    """Scheme, host and optional prefix, without `/v1` and without a slash at the end; or `simulator`."""
    api_key_env: str
    concurrency: int = 4
    """Paid requests in flight at once; what a crash can put in doubt."""
    outstanding: int = 50
    """Tasks accepted and not yet finished."""
    rpm: int | None = None
    ipm: int | None = None
    poll_rpm: int | None = None
    tier: str | None = None
    task_deadline: float = 7200.0
    min_free: int = 200 * 2**20
    url_lifetime: float = 3600.0
    upload_lifetime: float = 43200.0
    """How long an uploaded reference is taken to be there; nobody knows (providers.md H), and uploading again is free."""
    fit_references: bool = False
    """Whether references that are too large, or of another format, may be shrunk and converted."""
    black_white_masks: bool = False
    """Whether masks are black where something is to change, and have to be given an alpha channel."""
    uncertain: OnUncertain = OnUncertain.HOLD
    uncertain_grace: float | None = None
    max_double_cost: Decimal | None = None
    on_500: OnError = OnError.HOLD
    on_502: OnError = OnError.HOLD
    idempotency_header: str | None = None
    idempotency_ttl: float | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    """The adapter's own switches, checked by it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    allow_hosts: tuple[str, ...] = ()
    """Result hosts that are allowed although their addresses are private."""
    prices: Mapping[str, Json] = field(default_factory=dict)
    budget_per_day: Decimal | None = None
    """USD that may be spent in one UTC day, worst cases included; None is without limit."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """Constant fields of every request."""
    allow_retired: bool = False

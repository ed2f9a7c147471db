"""What an adapter can do: `Provider` is asked of each, the other protocols of those whose API has more to offer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.capabilities import Capabilities, ImageLimits
from orchestrator.providers.judgements import Estimate, Finding, Preview
from orchestrator.providers.orders import FileInput, Order, Previous, Turn
from orchestrator.providers.signatures import Signing
from orchestrator.transport.messages import Answer, Request


@runtime_checkable
class Provider(Protocol):
    """One wire format. Every method is pure; those that read raise `Unreadable` for an answer of another shape."""

    id: str
    capabilities: Capabilities
    default_base_url: str
    default_key_variable: str

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        """Return the account `options` this adapter knows, each with its allowed values or its type."""

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterable[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""

    def submission(self, order: Order) -> Request:
        """Return the paid request."""

    def read_submission(self, answer: Answer) -> Report:
        """Read a 2xx answer to a submission."""

    def read_failure(self, answer: Answer) -> Failure:
        """Read any answer outside 2xx, of any stage and any shape; never raises."""

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        """Return what a job should and could cost, from the account's prices or the catalog's."""

    def cost(self, spec: JobSpec, account: AccountSettings, report: Report) -> Decimal | None:
        """Return what an answered job did cost, from the provider's figure, its usage or the price list; None if unknown."""


@runtime_checkable
class TaskProvider(Provider, Protocol):
    """A wire format with tasks that are asked for."""

    first_poll: float
    """Seconds after acceptance before the first poll is worth it."""
    longest_poll: float
    """Seconds between polls at most."""

    def status_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request for a task's state."""

    def read_status(self, answer: Answer) -> Report:
        """Read a 2xx answer to it."""


@runtime_checkable
class LimitsProvider(Protocol):
    """A wire format that knows what images its models take."""

    def image_limits(self, spec: JobSpec, account: AccountSettings, *, mask: bool) -> ImageLimits:
        """Return the limits of a job's references, or of its mask."""


@runtime_checkable
class LookupProvider(Protocol):
    """A wire format in which a task can be found by our attempt id."""

    def lookup_request(self, attempt_id: str, account: AccountSettings) -> Request:
        """Return the free request for the task that this attempt started, if it did."""

    def read_lookup(self, answer: Answer, attempt_id: str) -> Report | None:
        """Read a 2xx answer; None when it shows no task, or a task that is provably not this attempt's."""


@runtime_checkable
class UploadProvider(Protocol):
    """A wire format with an endpoint that turns a local file into a URL, or a file id."""

    def upload_request(self, file: FileInput, account: AccountSettings) -> Request:
        """Return the free request that uploads one reference or mask."""

    def read_upload(self, answer: Answer) -> str:
        """Return the URL, or the id, by which the uploaded file goes into a submission."""


@runtime_checkable
class ConversationProvider(Protocol):
    """A wire format in which a job can go on where an earlier one ended."""

    def previous(self, turn: Turn, account: AccountSettings) -> Previous | None:
        """Return how a request names an earlier turn; None when the API did not keep it."""


@runtime_checkable
class ForgetfulProvider(Protocol):
    """A wire format whose refusals can mean that the API no longer has what it was given earlier."""

    forgotten: Mapping[str, ErrorCode]
    """Its own error code -> `UPLOAD_FORGOTTEN` or `CONVERSATION_FORGOTTEN`."""


@runtime_checkable
class CancelProvider(Protocol):
    """A wire format in which a running task can be stopped."""

    def cancel_request(self, remote_id: str, account: AccountSettings) -> Request:
        """Return the free request that stops a task; only a report of `CANCELLED` in its answer proves that it did."""

    def read_cancel(self, answer: Answer) -> Report:
        """Read a 2xx answer to it."""


@runtime_checkable
class StreamProvider(Protocol):
    """A wire format that can answer in events, with unfinished images among them."""

    def previews(self, body: bytes) -> Sequence[Preview]:
        """Return the unfinished images in what has come of an answer so far, in their order; never raises."""


@runtime_checkable
class WebhookProvider(Protocol):
    """A wire format whose tasks call back."""

    signing: Signing
    """How its calls are signed; where they are, a request names a URL only once the account's key for that is known."""
    endpoint: str
    """What the project-wide path `/hooks/ENDPOINT` is called."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Report:
        """Read a call. It is a hint: state changes only after an authenticated look at the task."""


@runtime_checkable
class RecognisingProvider(Protocol):
    """A wire format whose tasks show what they were ordered with."""

    def is_task_of(self, answer: Answer, spec: JobSpec, is_our_path: Callable[[str], bool]) -> bool:
        """Say whether the answer about a task proves it to be of this job; `is_our_path` knows the URL of its attempt."""


@runtime_checkable
class Family(Protocol):
    """A group of adapters behind one account: each job goes to the one that can do it."""

    id: str
    members: tuple[str, ...]
    """The first is where jobs go that need nothing special."""
    default_base_url: str
    default_key_variable: str

    def route(self, spec: JobSpec) -> str:
        """Return the id of the member for this job."""

"""What an adapter is: the wire format of one API as plain functions over data.

An adapter sends nothing and remembers nothing. It says what a request looks like, what an answer means, and what may be
asked for; the engine does the rest. Its words and codes map through tables that stand visibly in its module. A third party
adds one through the entry-point group `orchestrator.providers`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import ErrorCode, Failure
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.signatures import Signing
from orchestrator.transport.messages import Answer, Request


class Shape(StrEnum):
    """How an API answers a paid request."""

    SYNCHRONOUS = "synchronous"
    """The answer is the image; if it is lost, it is lost."""
    TASK = "task"
    """The answer is an id to ask for."""


class Inputs(StrEnum):
    """How local reference images reach an API."""

    NONE = "none"
    URL_ONLY = "url_only"
    """Only http(s) URLs; a local file has no way."""
    UPLOAD = "upload"
    """Through the API's upload endpoint, which gives a URL."""
    SERVED = "served"
    """At this program's own public URL, from where the API fetches them."""
    CONTENT = "content"
    """In the request itself: the adapter gets the bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What the engine must know of an API to serve it."""

    shape: Shape
    inputs: Inputs = Inputs.NONE
    lookup: bool = False
    """A lost task can be found by our attempt id."""
    refetch: bool = False
    """A result can be asked for again by its task id, with a fresh URL."""
    callback: bool = False
    """A request can name a URL to be called when the task ends."""
    trusts_expiry: bool = False
    """The expiry in the answer is believed even beyond the account's `url_lifetime`."""
    conversation: bool = False
    """A job can go on where another one ended, by what the API itself remembers."""
    inline_results: bool = False
    """A task's images stand in the answer to the question for it, as base64: such answers can be very large."""
    modes: Mapping[str, Shape] = field(default_factory=dict)
    """Values of the account's option `mode` -> the shape that the API then answers in."""
    references: Mapping[str, Inputs] = field(default_factory=dict)
    """Values of the account's option `references` -> how local images then reach the API."""

    def shape_for(self, options: Mapping[str, Json]) -> Shape:
        """Return how the API answers the paid requests of an account with these options."""
        return self.modes.get(str(options.get("mode")), self.shape)

    def inputs_for(self, options: Mapping[str, Json]) -> Inputs:
        """Return how the local images of an account with these options reach the API."""
        return self.references.get(str(options.get("references")), self.inputs)


@dataclass(frozen=True, kw_only=True, slots=True)
class UrlInput:
    """A reference or mask as a URL the API can fetch, or by whatever name its own upload endpoint gave, such as a file id."""

    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileInput:
    """A reference or mask as bytes; they are the bytes that were hashed when the batch was loaded."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


Input = UrlInput | FileInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Previous:
    """What a job continues, in the words of an API that remembers conversations (providers.md 5.7); at least one of the two."""

    response_id: str | None = None
    """The whole earlier turn."""
    image_call_id: str | None = None
    """One image of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """An earlier job that was sent to the same API by the same account, as far as its conversation goes."""

    params: Mapping[str, Json]
    """Fields that were sent beside the job's own, `extra` among them."""
    response_id: str | None = None
    image_call_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One attempt about to be sent."""

    spec: JobSpec
    account: AccountSettings
    attempt_id: str
    """32 hex characters; our own reference, and the key of a look-up."""
    references: tuple[Input, ...] = ()
    mask: Input | None = None
    callback_url: str | None = None
    previous: Previous | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """An unfinished image that a streamed answer showed on the way."""

    base64: str = field(repr=False)
    """Base64 text, or the spool's marker for it."""
    index: int
    """Which image of the job it belongs to, from 0."""
    number: int
    """Which preview of that image it is, from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something in a job that its API would refuse, or that the user should know before paying."""

    path: FieldPath
    """Which field: ("size",), ("params", "quality"), ("references", 0), ..."""
    message: str
    """What was found and what would be right."""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a job may cost in USD; None where nobody knows."""

    likely: Decimal | None = None
    worst: Decimal | None = None

    def times(self, requests: int) -> "Estimate":
        """Return what so many requests of this kind may cost."""
        return Estimate(
            likely=None if self.likely is None else self.likely * requests,
            worst=None if self.worst is None else self.worst * requests,
        )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLimits:
    """What a model takes as reference or mask; None is not limited."""

    formats: tuple[str, ...] | None = None
    most_bytes: int | None = None
    urls: bool = True
    """Whether an image may be given by its URL; else it is fetched for the API."""


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

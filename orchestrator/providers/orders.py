"""What an adapter is given: one attempt about to be sent, with its images and what it goes on with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import JobSpec, Json


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

"""What one image request asks for. A spec never changes: a changed request is another spec with another fingerprint."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Json = Any
"""A JSON value: None, bool, int, float, str, list, or a dict with str keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalImage:
    """A reference or mask that lies on this machine, as it was when the batch was loaded."""

    path: Path
    """Absolute path."""
    sha256: str
    """Hex digest of the file's bytes."""
    size: int
    """Bytes."""
    format: str
    """What the bytes decode as, lower case: png, jpeg, webp, gif."""
    width: int
    height: int
    alpha: bool
    """Whether the image has an alpha channel."""
    sent: str | None = None
    """Name of the copy that goes to the provider, upright and without private data; the facts above are then the copy's, but the
    hash and the path are the user's own file. None when that goes as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteImage:
    """A reference or mask that stands at an http(s) URL, passed on as written."""

    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentImage:
    """A reference or mask that another job of the batch makes: known once that job has succeeded."""

    job: str
    """The parent's key."""
    image: int = 0
    """Which of its images, from 0."""


Reference = LocalImage | RemoteImage | ParentImage


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """One image request, complete and checked: prompt filled, defaults applied, references resolved."""

    key: str
    """The job's name in its batch."""
    account: str
    """The account that pays; also where the job is sent."""
    provider: str
    """The adapter that the account's family routed this job to, e.g. `openai-edits`."""
    model: str
    prompt: str = field(repr=False)
    endpoint: str | None = None
    """The adapter the user named himself, overriding the routing."""
    size: str | None = None
    n: int = 1
    """Images asked for."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """What the adapter knows for the model: quality, output_format, background, ..."""
    extra: Mapping[str, Json] = field(default_factory=dict)
    """Fields sent as they are."""
    references: tuple[Reference, ...] = ()
    """In the order of the file: the first keeps most detail and carries the mask."""
    mask: Reference | None = None
    continues: str | None = None
    """Key of the job whose conversation, or whose image, this one goes on with."""
    fan_out: bool = False
    """Whether each of the `n` images is a request of its own."""
    meta: Mapping[str, Json] = field(default_factory=dict)
    """Carried to the manifest untouched."""
    priority: int = 0
    """Higher goes first."""

    @property
    def request(self) -> "JobSpec":
        """What one request of the job asks for: one image where each is a request of its own."""
        return replace(self, n=1) if self.fan_out else self

    @property
    def request_n(self) -> int:
        """How many images one request of the job asks for."""
        return 1 if self.fan_out else self.n

    @property
    def requests(self) -> int:
        """How many requests the job takes."""
        return self.n if self.fan_out else 1

    @property
    def parents(self) -> tuple[ParentImage, ...]:
        """What the job needs of others, in the order of the request: `continues`, references, mask."""
        continued = [ParentImage(job=self.continues)] if self.continues is not None else []
        return (*continued, *(image for image in (*self.references, self.mask) if isinstance(image, ParentImage)))

    def named(self, key: str) -> "JobSpec":
        """Return the same request under another key."""
        return replace(self, key=key)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDraft:
    """A job as a row of a batch file says it: defaults of the file applied, prompt filled, nothing looked up yet."""

    prompt: str = field(repr=False)
    key: str | None = None
    account: str | None = None
    model: str | None = None
    endpoint: str | None = None
    """An adapter's id: overrides the routing of a family."""
    size: str | None = None
    n: int | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    """With `quality` and `output_format` moved in, wherever they stood."""
    extra: Mapping[str, Json] = field(default_factory=dict)
    references: tuple[str | ParentImage, ...] = ()
    """Paths and URLs as written, and images of other jobs."""
    mask: str | ParentImage | None = None
    continues: str | None = None
    fan_out: bool = False
    meta: Mapping[str, Json] = field(default_factory=dict)
    priority: int = 0

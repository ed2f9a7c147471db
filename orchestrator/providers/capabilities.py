"""What the engine must know of an API to serve it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.jobs.spec import Json


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
class ImageLimits:
    """What a model takes as reference or mask; None is not limited."""

    formats: tuple[str, ...] | None = None
    most_bytes: int | None = None
    urls: bool = True
    """Whether an image may be given by its URL; else it is fetched for the API."""

"""The simulator's memory of what was asked of it: the evidence by which a client is judged."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Call", "Download", "Ledger", "Outcome", "Poll", "Reference", "Submission", "Upload"]

Outcome = Literal["accepted", "throttled", "rejected", "error", "unauthorised", "repeated"]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One picture that came with a paid request, or the mask, in the form it came in.

    `width` and `height` are pixels, known only where the bytes came along; `bytes` is their number.
    """

    field: str
    kind: Literal["url", "file", "upload", "file_id"]
    url: str | None = None
    file_id: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    filename: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One POST that reached a paid endpoint, accepted or not.

    `status` is the HTTP status sent, None where the connection was dropped instead. `number` counts from 1.
    `at` is wall time, `monotonic` the steady clock, both in seconds at the moment of judgement.
    `body` is the parsed JSON, or the form's text fields as (name, value) pairs in their order. `references` and `mask` are
    known for accepted ones only; `task_id` is what a status can be asked by, at OpenAI it is the simulator's own number.
    """

    number: int
    at: float
    monotonic: float
    provider: str
    endpoint: str
    path: str
    key_hint: str | None
    prompt: str | None
    n: int | None
    model: str | None
    outcome: Outcome
    status: int | None
    charged: bool
    task_id: str | None
    duration: float | None = None
    """Seconds from `at` until its results are there."""
    client_business_id: str | None
    body: Any = field(repr=False)
    raw_sha256: str
    raw_text: str | None = field(repr=False)
    headers: Mapping[str, str]
    references: tuple[Reference, ...]
    mask: Reference | None


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One reference picture that was accepted for later use."""

    at: float
    id: str
    url: str
    sha256: str
    bytes: int
    filename: str | None
    content_type: str


@dataclass(frozen=True, kw_only=True)
class Poll:
    """One look at a task: the id it was asked by, the HTTP status, and the status word if there was one."""

    at: float
    task_id: str
    http_status: int
    status: str | None


@dataclass(frozen=True, kw_only=True)
class Download:
    """One request for a result file; `age` is seconds since the task was completed, None for an unknown file."""

    at: float
    path: str
    status: int
    age: float | None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call to the client, and the HTTP status of its answer; None when there was none."""

    at: float
    task_id: str
    url: str = field(repr=False)
    status: int | None


@dataclass(kw_only=True)
class Ledger:
    """Everything that happened since the start or the last reset, in order."""

    submissions: list[Submission] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    in_flight: int = 0
    peak_in_flight: int = 0

    def accepted(self) -> list[Submission]:
        """The submissions that were charged, whatever the client was told."""
        return [submission for submission in self.submissions if submission.charged]

    def charged_prompts(self) -> Counter[str]:
        """How often each prompt was paid for."""
        return Counter(submission.prompt or "" for submission in self.submissions if submission.charged)

    @contextmanager
    def flight(self) -> Iterator[None]:
        """Count a paid request from its arrival until its answer is ready."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def clear(self) -> None:
        """Forget the past; requests still in flight stay counted."""
        for records in (self.submissions, self.uploads, self.polls, self.downloads, self.calls):
            records.clear()
        self.peak_in_flight = self.in_flight

    def as_json(self, *, since: int = 0) -> dict[str, Any]:
        """Everything as plain JSON values, with the submissions after number `since` only."""
        return {
            "submissions": [asdict(submission) for submission in self.submissions[since:]],
            "uploads": [asdict(upload) for upload in self.uploads],
            "polls": [asdict(poll) for poll in self.polls],
            "downloads": [asdict(download) for download in self.downloads],
            "calls": [asdict(call) for call in self.calls],
            "peak_in_flight": self.peak_in_flight,
        }

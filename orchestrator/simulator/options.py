"""What a simulated provider can be told to do: speed, limits, and everything that goes wrong in practice."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.simulator.pace import Limiter

__all__ = ["RESULT_PLACES", "SimulatorOptions"]

RESULT_PLACES = ("result", "data", "url", "output", "outputs", "images")
"""Where a toapis status answer may carry its URLs (providers.md 1.4)."""


@dataclass(frozen=True, kw_only=True)
class SimulatorOptions:
    """Settings of one simulator; the defaults are a quick, healthy provider without limits.

    Rates are probabilities from 0 to 1, durations are seconds. Raises ValueError for a value out of range.
    """

    # Identity and access

    provider: str = "toapis"
    """Whose API answers on unprefixed paths where two providers share one: an id known to `url_for`."""
    key: str | None = field(default=None, repr=False)
    """The only key let in; None lets every key in."""
    require_key: bool = False
    """Whether a request without any key is refused while `key` is None."""
    seed: int = 0
    """Start of all randomness: the same seed and order of requests give the same faults."""
    journal: Path | None = None
    """File that keeps accepted tasks and uploads across restarts; None keeps them in memory."""

    # Speed

    latency: float = 0.0
    """Seconds between acceptance of a paid request and its answer."""
    duration: float = 0.0
    """Seconds one generation takes: until a task is completed, or added to the latency of a direct answer."""
    spread: float = 0.0
    """Sigma of the log-normal distribution of durations, whose median is `duration`."""
    jitter: float = 0.0
    """Fraction by which a duration may be shorter or longer, 0 to 1."""
    upload_delay: float = 0.0
    """Seconds before an upload is answered."""
    download_delay: float = 0.0
    """Seconds before a result file is sent."""
    download_rate: float | None = None
    """Result files per second over all clients; more wait in line. None is without limit."""

    # Results

    result: Literal["b64", "url"] = "b64"
    """How OpenAI's GPT image models deliver; "url" is what relays do."""
    result_places: tuple[str, ...] = ("result",)
    """Which of RESULT_PLACES a completed toapis task fills."""
    image_side: int | None = None
    """Pixels per side of every picture, whatever size was ordered; None obeys the order."""
    url_life: float | None = None
    """Seconds a result URL works after completion; None is 86400 for toapis and 3600 for OpenAI."""
    refetch_renews: bool = True
    """Whether a status answer signs new URLs once the old ones have expired."""
    expired_status: Literal[403, 404] = 403
    """HTTP status of a download that comes too late."""

    # Tasks

    progress_words: tuple[str, ...] = ("queued", "in_progress")
    """Status words before the end, spread evenly over the duration."""
    reports_progress: bool = True
    """Whether a status answer tells how far a task is; else it says 0 until the end."""
    unknown_status: bool = False
    """Whether the first status answer of every task is a word no document lists."""
    lookup: bool = True
    """Whether a task can be found by its client_business_id."""

    # Idempotency

    idempotency_header: str | None = None
    """Header whose value makes a request count once, however often it is sent; None honours none."""
    idempotency_ttl: float = 86400.0
    """Seconds for which such a key is remembered."""

    # TTAPI's ways

    job_id_name: Literal["jobId", "job_id"] = "jobId"
    """How the answer to an accepted 4o job spells its id (providers.md 2.4)."""
    quota: str = "2"
    """What a 4o job takes from the balance, a hundredth of a dollar each; failed ones take nothing."""
    stuck_containing: str | None = None
    """4o jobs whose prompt contains this text wait in the queue for ever."""
    image_missing: bool = False
    """Whether 4o jobs succeed without an image, as when the model answered in words."""
    error_form: Literal["envelope", "openai"] = "envelope"
    """Whether TTAPI's errors come in its own shape, or OpenAI's pass through it."""
    refused_with_200: bool = False
    """Whether TTAPI refuses fields with status 200 and FAILED in the body."""
    empty_messages: bool = False
    """Whether TTAPI's errors give no reason."""
    html_errors: bool = False
    """Whether TTAPI's 5xx are pages of the gateway before it."""
    throttle_status: Literal[429, 499] = 429
    """What TTAPI answers when it is too much: too many requests, or an exhausted queue."""

    # Calls back

    webhook_secret: str | None = field(default=None, repr=False)
    """Key that calls are signed with; ToAPIs takes a callback_url only with one."""
    webhook_url: str | None = None
    """Where calls of a whole project go; for ToAPIs also what a callback_url must share scheme, host and port with."""
    lost_call_rate: float = 0.0
    """Tasks whose end is told to nobody."""
    call_delay: float = 0.0
    """Seconds between the end of a task and the call."""
    call_jitter: float = 0.0
    """Seconds by which each call may be later still, so that calls overtake each other."""
    call_repeats: int = 0
    """How often each call is made once more although it was heard."""
    call_again_after: float | None = None
    """Seconds after which a call that was not answered with 2xx is made again, up to 50 times; None never."""

    # Relays' ways

    answers_with_task: Literal["id", "inside"] | None = None
    """Whether a task comes where images are promised: as `{"id", "status"}`, or inside `data` with an address of its own."""
    more_sizes: tuple[str, ...] = ()
    """Sizes that the gpt-image-2 relay has enabled besides the documented ones."""
    chat_form: Literal["data", "markdown", "inline", "fields", "parts", "bare"] = "data"
    """Where a chat tells of its images: in the documented list, in text as links or data, in fields or parts of its message."""
    chat_streams: Literal["never", "declared", "undeclared"] = "never"
    """Whether a chat answers in events although nobody asked, and whether its content type says so."""

    # Responses and streams

    refuse_containing: str | None = None
    """Responses whose prompt contains this text are refused in words."""
    talk_containing: str | None = None
    """Responses whose prompt contains this text hold words instead of a picture."""
    incomplete_containing: str | None = None
    """Responses whose prompt contains this text end as incomplete."""
    cut_stream: Literal["before", "after"] | None = None
    """Whether streams break off: before their first picture is whole, or right after it."""

    # Limits

    rpm: float | None = None
    """Paid requests per minute; refused ones are not counted (providers.md 1.8). None is without limit."""
    burst: int | None = None
    """Requests that may come at once under `rpm`; None is a sixth of it, as ToAPIs allows."""
    ipm: float | None = None
    """Images per minute; nothing announces it, as at OpenAI (providers.md 5.2). None is without limit."""
    limiter: Limiter = "bucket"
    """How both are counted: in a bucket that is filled evenly, in minutes that follow each other, or in any minute."""
    announces: bool = True
    """Whether answers carry the limit of requests in their headers."""
    max_concurrent: int | None = None
    """Accepted requests whose answer is still outstanding; None is without limit."""
    throttle_first: int = 0
    """How many of the first paid requests are answered 429."""
    throttle_each: int = 0
    """How many of the first requests with one and the same prompt are answered 429."""
    retry_after: str | None = None
    """What a 429 says: None nothing, "date" an HTTP date, "ms" `retry-after-ms`, any other text goes out literally."""
    retry_after_seconds: float = 1.0
    """How far ahead the "date" and "ms" forms point."""
    quota_after: int | None = None
    """Accepted requests after which the balance is empty; None never."""

    # Faults of paid requests

    error_rate: float = 0.0
    """Requests that fail before they are accepted, thus free."""
    error_status: int = 500
    """HTTP status of both kinds of failing answer."""
    error_after_rate: float = 0.0
    """Requests that are accepted and charged, and answered with `error_status` all the same."""
    lost_answer_rate: float = 0.0
    """Requests that are accepted and charged, and whose connection then drops without an answer."""
    lose_answer_each: int = 0
    """How many of the first accepted requests with one and the same prompt lose their answer."""
    fail_rate: float = 0.0
    """Generations that fail: a failed task, or OpenAI's moderation_blocked."""
    fail_containing: str | None = None
    """Generations whose prompt contains this text always fail."""

    # Faults of free requests

    upload_error_rate: float = 0.0
    """Uploads answered 500."""
    truncate_download_rate: float = 0.0
    """Downloads that break off in the middle of the file."""
    html_download_rate: float = 0.0
    """Downloads that deliver an HTML page with status 200."""
    expired_download: bool = False
    """Whether the first download of every task comes too late, once; its URLs stay dead."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            is_share = option.name == "jitter" or (option.name.endswith("_rate") and option.name != "download_rate")
            if is_share and not 0 <= value <= 1:
                raise ValueError(f"{option.name} must lie between 0 and 1, not {value}.")
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{option.name} must not be negative.")
        if not self.progress_words:
            raise ValueError("progress_words needs at least one word.")
        if not self.result_places or set(self.result_places) - set(RESULT_PLACES):
            raise ValueError(f"result_places must be some of {', '.join(RESULT_PLACES)}.")
        for name in ("download_rate", "rpm", "ipm", "image_side"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above zero.")

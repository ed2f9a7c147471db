"""What `simulate` can be told; what is not said is the simulator's own default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Seconds = float | None
Rate = float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """Speed, limits and faults of a simulated provider."""

    key: Annotated[str | None, Parameter(help="The only key let in; without it every key is.")] = None
    seed: Annotated[int | None, Parameter(help="Start of all chance: the same seed gives the same faults.")] = None
    journal: Annotated[Path | None, Parameter(help="File that keeps accepted tasks over a restart.")] = None
    latency: Annotated[Seconds, Parameter(help="Seconds before a paid request is answered.")] = None
    duration: Annotated[Seconds, Parameter(help="Seconds one generation takes.")] = None
    spread: Annotated[Rate, Parameter(help="Sigma of the log-normal distribution of durations.")] = None
    jitter: Annotated[Rate, Parameter(help="Fraction by which a duration may differ, 0 to 1.")] = None
    url_life: Annotated[Seconds, Parameter(help="Seconds for which a result can be downloaded.")] = None
    image_side: Annotated[int | None, Parameter(help="Pixels per side of every picture, whatever was ordered.")] = None
    rpm: Annotated[float | None, Parameter(help="Paid requests per minute before it answers 429.")] = None
    ipm: Annotated[float | None, Parameter(help="Images per minute before it answers 429; nothing announces it.")] = None
    limiter: Annotated[
        Literal["bucket", "fixed", "sliding"] | None, Parameter(help="How both are counted: bucket, fixed or sliding minutes.")
    ] = None
    max_concurrent: Annotated[int | None, Parameter(help="Paid requests at once before it answers 429.")] = None
    throttle_first: Annotated[int | None, Parameter(help="Answer this many of the first paid requests with 429.")] = None
    quota_after: Annotated[int | None, Parameter(help="Accepted requests after which the balance is empty.")] = None
    error_rate: Annotated[Rate, Parameter(help="Share of requests that fail before they cost anything, 0 to 1.")] = None
    error_status: Annotated[int | None, Parameter(help="HTTP status of failing requests.")] = None
    error_after_rate: Annotated[Rate, Parameter(help="Share of requests that are charged and fail all the same.")] = None
    lost_answer_rate: Annotated[Rate, Parameter(help="Share of requests that are charged and never answered.")] = None
    lose_answer_each: Annotated[
        int | None, Parameter(help="Charge this many of the first requests with one and the same prompt, and never answer them.")
    ] = None
    lookup: Annotated[bool | None, Parameter(help="Whether a task can be found by its client's own reference.")] = None
    idempotency_header: Annotated[str | None, Parameter(help="Header whose value makes a repeated request count once.")] = None
    fail_rate: Annotated[Rate, Parameter(help="Share of generations that fail.")] = None
    fail_containing: Annotated[str | None, Parameter(help="Generations whose prompt contains this text fail.")] = None
    truncate_download_rate: Annotated[Rate, Parameter(help="Share of downloads that break off.")] = None


QUICK_AND_HEALTHY = Behaviour()

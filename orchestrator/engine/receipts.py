"""The store's story of a job as the manifest tells it: one shape for every export."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

from orchestrator.jobs.attempts import Charged
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.spec import Json
from orchestrator.manifest import ManifestAttempt, ManifestCost, ManifestError, ManifestImage, ManifestJob, ManifestParent
from orchestrator.store.stories import Story


async def receipts(stories: AsyncIterator[Story]) -> AsyncIterator[ManifestJob]:
    """Yield each job as a row of the manifest."""
    async for story in stories:
        yield receipt(story)


def receipt(story: Story) -> ManifestJob:
    """Return one job as a row of the manifest."""
    job, spec = story.job, story.job["spec"]
    return ManifestJob(
        batch=job["batch"],
        key=job["key"],
        state=State(job["state"]),
        partial=bool(job["partial"]),
        account=job["account"],
        provider=job["provider"],
        model=job["model"],
        prompt=spec["prompt"],
        params=_params(job, spec),
        references=[_reference(reference) for reference in spec["references"]],
        mask=_reference(spec["mask"]) if spec["mask"] else None,
        continues=spec["continues"],
        parents=tuple(_parent(parent) for parent in story.parents),
        meta=spec["meta"],
        images=tuple(_image(image) for image in story.images),
        attempts=tuple(_attempt(attempt) for attempt in story.attempts),
        cost=ManifestCost(estimated=job["cost_likely"], actual=actual_cost(story)),
        error=_error(story),
        created_at=job["created_at"],
        finished_at=job["finished_at"],
    )


def actual_cost(story: Story) -> Decimal | None:
    """Return what a job did cost so far in USD; None when it cost something nobody told, or may have."""
    charged = [attempt for attempt in story.attempts if attempt["charged"] != Charged.NO]
    costs = [attempt["cost_settled"] for attempt in charged]
    if any(cost is None for cost in costs) or not story.attempts:
        return None
    return sum(costs, Decimal(0))


def _params(job: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Json]:
    size = {"size": spec["size"]} if spec["size"] is not None else {}
    return {**size, "n": job["n"], **spec["params"], **spec["extra"]}


def _reference(reference: Mapping[str, Any]) -> Json:
    if "url" in reference:
        return {"url": reference["url"]}
    if "job" in reference:
        return {"job": reference["job"], "image": reference["image"]}
    return {"path": reference["path"], "sha256": reference["sha256"]}


def _parent(parent: Mapping[str, Any]) -> ManifestParent:
    return ManifestParent(
        role=parent["role"], job=parent["job"], image=parent["image"], attempt=parent["attempt"], sha256=parent["sha256"]
    )


def _image(image: Mapping[str, Any]) -> ManifestImage:
    return ManifestImage(
        index=image["index"],
        file=image["file"],
        sha256=image["sha256"],
        bytes=image["bytes"],
        format=image["format"],
        width=image["width"],
        height=image["height"],
        revised_prompt=image["revised_prompt"],
        degraded=image["degraded"],
        source_expires_at=image["deadline"],
        downloaded_at=image["downloaded_at"],
    )


def _attempt(attempt: Mapping[str, Any]) -> ManifestAttempt:
    return ManifestAttempt(
        number=attempt["number"],
        part=attempt["part"],
        started_at=attempt["started_at"],
        ended_at=attempt["ended_at"],
        outcome=attempt["state"],
        phase=attempt["phase"],
        elapsed=elapsed(attempt),
        http_status=attempt["http_status"],
        request_id=attempt["request_id"],
        client_ref=attempt["client_ref"],
        remote_id=attempt["remote_id"],
        charged=Charged(attempt["charged"]),
        cost=attempt["cost_settled"],
        cost_worst=attempt["cost_reserved"],
        usage=attempt["usage"],
        reason=attempt["message"] or attempt["reason"],
    )


def elapsed(attempt: Mapping[str, Any]) -> float | None:
    """Return the seconds from an attempt's beginning to its answer, its doubt or its end; None while it is open."""
    times = (attempt["doubted_at"], attempt["answered_at"], attempt["ended_at"])
    known = [time for time in times if time is not None]
    return round(min(known) - attempt["started_at"], 3) if known else None


def _error(story: Story) -> ManifestError | None:
    """Return why a job failed, or why it is in doubt: that stands with its latest attempt."""
    job = story.job
    if job["error_code"] is not None:
        return ManifestError(
            code=ErrorCode(job["error_code"]), provider_code=job["error_provider_code"], message=job["error_message"] or ""
        )
    last = story.attempts[-1] if story.attempts else None
    if job["state"] == State.UNCERTAIN and last is not None and last["reason"] is not None:
        return ManifestError(code=ErrorCode(last["reason"]), message=last["message"] or "")
    return None

"""Manifest rows that know what each state implies."""

from collections.abc import AsyncIterator, Iterable
from decimal import Decimal

from orchestrator.jobs.attempts import Charged
from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.manifest import ManifestAttempt, ManifestCost, ManifestError, ManifestImage, ManifestJob, ManifestParent


def image(index: int = 0) -> ManifestImage:
    return ManifestImage(
        index=index,
        file=f"spring/mug-{index}.png",
        sha256="ab" * 32,
        bytes=1234,
        format="png",
        width=1024,
        height=768,
        revised_prompt="a mug",
        source_expires_at=3600.0,
        downloaded_at=12.5,
    )


def parent(role: str = "reference", *, used: bool = True) -> ManifestParent:
    return ManifestParent(role=role, job="sketch", image=1, attempt=2 if used else None, sha256="cd" * 32 if used else None)


def attempt(number: int = 1, *, remote_id: str | None = "task-1") -> ManifestAttempt:
    return ManifestAttempt(
        number=number,
        started_at=1.0,
        ended_at=2.0,
        outcome="delivered",
        http_status=200,
        remote_id=remote_id,
        charged=Charged.YES,
        cost=Decimal("0.0420"),
        usage={"output_tokens": 272},
    )


def succeeded(key: str = "mug", *, images: int = 1, **changes: object) -> ManifestJob:
    facts: dict[str, object] = {
        "batch": "spring",
        "key": key,
        "state": State.SUCCEEDED,
        "account": "studio",
        "provider": "openai-images",
        "model": "gpt-image-2",
        "prompt": "a mug",
        "params": {"quality": "high"},
        "images": tuple(image(index) for index in range(images)),
        "attempts": (attempt(),),
        "cost": ManifestCost(estimated=Decimal("0.04"), actual=Decimal("0.0420")),
        "created_at": 0.0,
        "finished_at": 20.0,
    }
    return ManifestJob(**(facts | changes))  # type: ignore[arg-type]


def failed(key: str = "bad") -> ManifestJob:
    error = ManifestError(code=ErrorCode.REFUSED, provider_code="moderation_blocked", message="=refused")
    return succeeded(key, images=0, state=State.FAILED, error=error, attempts=(), cost=ManifestCost())


async def rows(jobs: Iterable[ManifestJob]) -> AsyncIterator[ManifestJob]:
    for job in jobs:
        yield job

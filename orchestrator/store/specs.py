"""A job's spec as the JSON that a row keeps."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.jobs.spec import JobSpec, Json, LocalImage, ParentImage, Reference, RemoteImage
from orchestrator.store.chains import edges

_SEALED = ("key", "fingerprint", "account", "provider", "model", "n", "spec")


def seal(row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what the file said of a job, kept in its row: one that was changed by hand no longer matches it."""
    return sha256(json.dumps([row[name] for name in _SEALED], sort_keys=True).encode()).hexdigest()


def to_json(spec: JobSpec) -> dict[str, Json]:
    """Return what no column of its own holds."""
    return {
        "prompt": spec.prompt,
        "endpoint": spec.endpoint,
        "size": spec.size,
        "params": dict(spec.params),
        "extra": dict(spec.extra),
        "references": [_reference_to_json(reference) for reference in spec.references],
        "mask": _reference_to_json(spec.mask) if spec.mask else None,
        "continues": spec.continues,
        "fan_out": spec.fan_out,
        "meta": dict(spec.meta),
        **({"parents": edges(spec)} if spec.parents else {}),
    }


def from_row(row: Mapping[str, Any], stored: Mapping[str, Any]) -> JobSpec:
    """Return the spec of a row that has the columns of `job`; `stored` is what its `spec` holds."""
    return JobSpec(
        key=row["key"],
        account=row["account"],
        provider=row["provider"],
        model=row["model"],
        n=row["n"],
        priority=row["priority"],
        prompt=stored["prompt"],
        endpoint=stored["endpoint"],
        size=stored["size"],
        params=stored["params"],
        extra=stored["extra"],
        references=tuple([_reference_from_json(item) for item in stored["references"]]),
        mask=_reference_from_json(stored["mask"]) if stored["mask"] else None,
        continues=stored["continues"],
        fan_out=stored["fan_out"],
        meta=stored["meta"],
    )


def _reference_to_json(reference: Reference) -> dict[str, Json]:
    if isinstance(reference, RemoteImage):
        return {"url": reference.url}
    if isinstance(reference, ParentImage):
        return {"job": reference.job, "image": reference.image}
    return {
        "path": str(reference.path),
        "sha256": reference.sha256,
        "size": reference.size,
        "format": reference.format,
        "width": reference.width,
        "height": reference.height,
        "alpha": reference.alpha,
        **({"sent": reference.sent} if reference.sent is not None else {}),
    }


def _reference_from_json(stored: dict[str, Json]) -> Reference:
    if "url" in stored:
        return RemoteImage(url=stored["url"])
    if "job" in stored:
        return ParentImage(**stored)
    return LocalImage(**{**stored, "path": Path(stored["path"])})

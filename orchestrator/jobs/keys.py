"""What a job is called, and what makes two requests the same."""

import hashlib
import json
import re
import unicodedata

from orchestrator.jobs.spec import JobSpec, LocalImage, ParentImage, Reference, RemoteImage

_SLUG_LENGTH = 40
MAX_KEY_LENGTH = 200


def fingerprint(spec: JobSpec) -> str:
    """Return the hex digest of what a job asks for (design.md section 6), not of its name, order, budget or prices."""
    asked = {
        "account": spec.account,
        "endpoint": spec.endpoint,
        "model": spec.model,
        "prompt": spec.prompt,
        "size": spec.size,
        "n": spec.n,
        "params": dict(spec.params),
        "extra": dict(spec.extra),
        "references": [_identity(reference) for reference in spec.references],
        "mask": _identity(spec.mask) if spec.mask else None,
        "continues": spec.continues,
        "fan_out": spec.fan_out,
    }
    canonical = json.dumps(asked, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _identity(reference: Reference) -> list[str | int]:
    match reference:
        case LocalImage():
            return ["sha256", reference.sha256]
        case RemoteImage():
            return ["url", reference.url]
        case ParentImage():
            return ["job", reference.job, reference.image]


def slug(prompt: str) -> str:
    """Return the readable half of a key made from a prompt: words of any script, joined by hyphens."""
    text = unicodedata.normalize("NFC", prompt).lower()
    words = re.findall(r"[^\W_]+", text)
    return "-".join(words)[:_SLUG_LENGTH].strip("-") or "job"


def default_key(spec: JobSpec) -> str:
    """Return the key of a job without an `id`: never a row number, so that rows may move."""
    return f"{slug(spec.prompt)}-{fingerprint(spec)[:8]}"

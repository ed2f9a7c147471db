"""Jobs, accounts, orders and answers as an adapter meets them, and the samples of the provider's own pages."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec, LocalImage, RemoteImage
from orchestrator.providers.base import FileInput, Order, Provider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.openai_edits import OpenAIEdits
from orchestrator.providers.openai_images import OpenAIImages
from orchestrator.providers.openai_responses import OpenAIResponses
from orchestrator.providers.toapis import ToApis
from orchestrator.transport.messages import Answer

ATTEMPT = "0123456789abcdef0123456789abcdef"
TODAY = date(2026, 11, 21)
RELAY = "https://relay.example"
PNG = FileInput(filename="mug.png", content_type="image/png", content=b"\x89PNG bytes")
JPEG = FileInput(filename="style.jpg", content_type="image/jpeg", content=b"\xff\xd8 bytes")


def today() -> date:
    return TODAY


def toapis(**changes: Any) -> ToApis:
    return ToApis(changes.get("catalog", Catalog.builtin()), changes.get("today", today))


def images(**changes: Any) -> OpenAIImages:
    return OpenAIImages(changes.get("catalog", Catalog.builtin()), changes.get("today", today))


def edits(**changes: Any) -> OpenAIEdits:
    return OpenAIEdits(changes.get("catalog", Catalog.builtin()), changes.get("today", today))


def responses(**changes: Any) -> OpenAIResponses:
    return OpenAIResponses(changes.get("catalog", Catalog.builtin()), changes.get("today", today))


MODELS = {
    "openai-responses": "gpt-image-2",
    "toapis": "gpt-4o-image",
    "openai-images": "gpt-image-2",
    "openai-edits": "gpt-image-2",
}


def spec(provider: str, **fields: Any) -> JobSpec:
    return JobSpec(
        **{"key": "mug", "account": "studio", "provider": provider, "model": MODELS[provider], "prompt": "a mug"} | fields
    )


def account(provider: str, **fields: Any) -> AccountSettings:
    base_url = "https://toapis.com" if provider == "toapis" else "https://api.openai.com"
    return AccountSettings(**{"name": "studio", "provider": provider, "base_url": base_url, "api_key_env": "STUDIO_KEY"} | fields)


def order(provider: str, *, job: Mapping[str, Any] | None = None, at: Mapping[str, Any] | None = None, **fields: Any) -> Order:
    return Order(spec=spec(provider, **(job or {})), account=account(provider, **(at or {})), attempt_id=ATTEMPT, **fields)


def local(**fields: Any) -> LocalImage:
    described: dict[str, Any] = {"path": Path("/pictures/mug.png"), "sha256": "0" * 64, "size": 1000, "format": "png"}
    return LocalImage(**described | {"width": 512, "height": 512, "alpha": False} | fields)


MASK = local(alpha=True)
REMOTE = RemoteImage(url="https://pictures.example/style.png")


def findings(adapter: Provider, *, at: Mapping[str, Any] | None = None, **fields: Any) -> dict[Severity, list[str]]:
    """What the adapter says of a job, errors apart from warnings; edits get a reference unless the test brings its own."""
    if adapter.id == "openai-edits":
        fields.setdefault("references", (local(),))
    found = list(adapter.validate(spec(adapter.id, **fields), account(adapter.id, **(at or {}))))
    return {severity: [finding.message for finding in found if finding.severity is severity] for severity in Severity}


def errors(adapter: Provider, **fields: Any) -> list[str]:
    return findings(adapter, **fields)[Severity.ERROR]


def warnings(adapter: Provider, **fields: Any) -> list[str]:
    return findings(adapter, **fields)[Severity.WARNING]


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=content)


def sample(name: str) -> bytes:
    return (Path(__file__).parent / "samples" / name).read_bytes()


def later(day: date) -> Any:
    return lambda: day

"""The samples of every API: one golden request and one answer of each kind, written from the provider's own pages.

They stand in `samples/ADAPTER.yaml`; an answer is `{body | text, status, headers, asked}`, where `asked: status` says that it is
the answer to the question for a task, not to the paid request.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import FileInput, Input, Order, Provider, TaskProvider, UrlInput
from orchestrator.providers.registry import Registry
from orchestrator.transport.messages import Answer, Request

from .making import ATTEMPT

SAMPLES = Path(__file__).parent / "samples"
KINDS = (
    *("accepted", "refused", "throttled", "quota", "moderated", "late"),
    *("unknown_status", "cancelled", "more_images", "fewer_images"),
)
"""Answers that each API has a sample of; a text in place of one says why the API has no such answer."""
TYPES = {"png": "image/png", "jpeg": "image/jpeg"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One documented answer, and what it holds."""

    kind: str
    answer: Answer
    is_status: bool
    images: int
    remote_id: str | None

    def read_by(self, adapter: Provider) -> Report:
        """Return what the adapter reads in an answer within 2xx."""
        if not self.is_status:
            return adapter.read_submission(self.answer)
        assert isinstance(adapter, TaskProvider)
        return adapter.read_status(self.answer)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The samples of one adapter; raises `FileNotFoundError` for one that brought none."""

    adapter: Provider
    data: Mapping[str, Any]

    @classmethod
    def of(cls, adapter: Provider) -> "Contract":
        return cls(adapter=adapter, data=yaml.safe_load((SAMPLES / f"{adapter.id}.yaml").read_text(encoding="utf-8")))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The answers that there are samples of."""
        return tuple(kind for kind, answer in self.data["answers"].items() if isinstance(answer, dict))

    def sample(self, kind: str) -> Sample:
        """Return the sample answer of a kind."""
        written = self.data["answers"][kind]
        body = written["text"].encode() if "text" in written else json.dumps(written["body"]).encode()
        return Sample(
            kind=kind,
            answer=Answer(status=written.get("status", 200), headers=written.get("headers", {}), body=body),
            is_status=written.get("asked") == "status",
            images=written.get("images", 0),
            remote_id=written.get("remote_id"),
        )

    @property
    def order(self) -> Order:
        """The order of the golden request."""
        job = {"key": "mug", "account": "studio", "provider": self.adapter.id, **self.data["job"]}
        mask = self.data.get("mask")
        return Order(
            spec=JobSpec(**job),
            account=self.account,
            attempt_id=ATTEMPT,
            references=tuple(_image(text) for text in self.data.get("references", [])),
            mask=_image(mask) if mask else None,
        )

    @property
    def account(self) -> AccountSettings:
        """The account of the golden request."""
        base_url = self.data.get("base_url", self.adapter.default_base_url)
        return AccountSettings(name="studio", provider=self.adapter.id, base_url=base_url, api_key_env="STUDIO_KEY")


def adapters(registry: Registry) -> dict[str, Provider]:
    """Return every registered adapter; families are made of these."""
    found = {identifier: registry.get(identifier) for identifier in registry.ids()}
    return {identifier: adapter for identifier, adapter in found.items() if isinstance(adapter, Provider)}


def missing(adapter: Provider) -> list[str]:
    """Return what an adapter lacks to be taken into the suite."""
    try:
        contract = Contract.of(adapter)
    except FileNotFoundError:
        return ["samples"]
    is_task = contract.data["answers"].get("accepted", {}).get("remote_id") is not None
    return [kind for kind in (*KINDS, *(("delivered",) if is_task else ())) if kind not in contract.data["answers"]]


def written(request: Request) -> dict[str, Any]:
    """Return a request as the samples write it."""
    found: dict[str, Any] = {"url": request.url}
    if request.auth != ("Authorization", "Bearer "):
        found["auth"] = request.auth[0]
    if request.json is not None:
        found["json"] = json.loads(request.json)
    if request.form is not None:
        found["form"] = [
            [part.name, part.filename, part.content_type] if part.filename else [part.name, part.content.decode()]
            for part in request.form
        ]
    return found


def _image(text: str) -> Input:
    if text.startswith("https://"):
        return UrlInput(url=text)
    return FileInput(filename=text, content_type=TYPES[text.rpartition(".")[2]], content=text.encode())

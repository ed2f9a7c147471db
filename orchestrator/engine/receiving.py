"""Takes calls from providers: finds the attempt that each is for, and keeps it until it is looked into.

A body is a hint. What it says of a result is not even read further than to the task's id; everything else is asked of the
provider, with the account's key (reliability.md d.1).
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.jobs.clock import Clock
from orchestrator.jobs.reports import Report
from orchestrator.jobs.secrets import Secret
from orchestrator.jobs.spec import Json
from orchestrator.jobs.tokens import Mint, hash_of
from orchestrator.providers.base import WebhookProvider
from orchestrator.providers.signatures import Forged, Signing, verified
from orchestrator.store.callbacks import Addressee
from orchestrator.store.store import Store
from orchestrator.transport.messages import Unreadable

_TASK_ID = re.compile(r"[A-Za-z0-9_-]{6,128}")


class Verdict(StrEnum):
    """What becomes of a call."""

    NOTED = "noted"
    """New, durable, and about to be looked into."""
    KNOWN = "known"
    """Heard before."""
    IDLE = "idle"
    """Authentic, and about nothing of ours: a test from the console, another program's task."""
    UNKNOWN = "unknown"
    """On a path that nobody has."""
    FORGED = "forged"
    MALFORMED = "malformed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A call as it came; `token` only on an attempt's own path, `headers` with lower-case names."""

    endpoint: str
    token: str | None
    headers: Mapping[str, str]
    body: bytes


class Adapters(Protocol):
    """Where adapters are found."""

    def webhooks(self, identifier: str) -> WebhookProvider | None:
        """Return the adapter of that id, if its tasks call back."""

    def at_endpoint(self, endpoint: str) -> tuple[str, WebhookProvider] | None:
        """Return the id and the adapter whose signed calls come to a project-wide endpoint."""


class Receiver:
    """Hears calls. `keys` has the keys for signatures by account; `heard` is told of each call that is new."""

    def __init__(
        self,
        store: Store,
        adapters: Adapters,
        keys: Mapping[str, Sequence[Secret]],
        mint: Mint,
        clock: Clock,
        heard: Callable[[], None],
    ) -> None:
        self._store, self._adapters, self._keys = store, adapters, keys
        self._mint, self._clock, self._heard = mint, clock, heard
        self._noting: dict[str, asyncio.Future[Verdict]] = {}

    def is_ours(self, token: str) -> bool:
        """Say, without a look into the store, whether a token was made with our key."""
        return self._mint.made(token)

    async def take(self, message: Message) -> Verdict:
        """Judge a call, and keep what is new; it is durable when this returns. Raises `Unavailable` where the store is away."""
        if message.token is None:
            return await self._to_the_project(message)
        addressee = await self._store.callbacks.by_token(hash_of(message.token))
        if addressee is None or addressee.provider != message.endpoint:
            return Verdict.UNKNOWN
        adapter = self._adapters.webhooks(addressee.provider)
        if adapter is None:
            return Verdict.UNKNOWN
        try:
            event = self._verified(adapter, message, self._keys.get(addressee.account, ()))
        except Forged:
            return Verdict.FORGED
        report = _read(adapter, message)
        if report is None:
            return Verdict.MALFORMED if event is None else Verdict.IDLE
        return await self._note(addressee, report, event or f"{hash_of(message.token)} {_digest(message.body)}")

    async def _to_the_project(self, message: Message) -> Verdict:
        found = self._adapters.at_endpoint(message.endpoint)
        keys = [key for keys in self._keys.values() for key in keys]
        if found is None or not keys:
            return Verdict.UNKNOWN
        identifier, adapter = found
        try:
            event = self._verified(adapter, message, keys)
        except Forged:
            return Verdict.FORGED
        report = _read(adapter, message)
        addressee = await self._addressee(identifier, report) if report is not None else None
        if report is None or event is None or addressee is None:
            return Verdict.IDLE
        return await self._note(addressee, report, event)

    async def _addressee(self, identifier: str, report: Report) -> Addressee | None:
        calls = self._store.callbacks
        if report.attempt_id is not None and (found := await calls.by_attempt(identifier, report.attempt_id)) is not None:
            return found
        return await calls.by_task(identifier, str(report.remote_id))

    def _verified(self, adapter: WebhookProvider, message: Message, keys: Sequence[Secret]) -> str | None:
        """Return the id of a signed call; None where calls are not signed, or nobody has given us the key."""
        if adapter.signing is Signing.NONE or not keys:
            return None
        return f"{adapter.endpoint} {verified(adapter.signing, message.headers, message.body, keys, self._clock.now())}"

    async def _note(self, addressee: Addressee, report: Report, event: str) -> Verdict:
        """Keep a call. Who calls again while it is being kept waits for the same: else a slow store gets ever more to do."""
        digest = _digest(event.encode())
        if (noting := self._noting.get(digest)) is None:
            noting = self._noting[digest] = asyncio.ensure_future(self._kept(digest, addressee, report))
            noting.add_done_callback(lambda _: self._noting.pop(digest))
        return await asyncio.shield(noting)

    async def _kept(self, digest: str, addressee: Addressee, report: Report) -> Verdict:
        if not await self._store.callbacks.note(digest, addressee, str(report.remote_id)):
            return Verdict.KNOWN
        self._heard()
        return Verdict.NOTED


def _read(adapter: WebhookProvider, message: Message) -> Report | None:
    """Return what a call is about; None when it is about no task, or is no honest JSON."""
    try:
        _check_json(message.body)
        report = adapter.read_webhook(message.headers, message.body)
    except (ValueError, RecursionError, Unreadable):
        return None
    return report if report.remote_id is not None and _TASK_ID.fullmatch(report.remote_id) else None


def _check_json(body: bytes) -> None:
    """Raise `ValueError` for what two readers may understand differently: names that stand twice, and numbers that are none."""
    if not isinstance(json.loads(body, object_pairs_hook=_once, parse_constant=_no_number), dict):
        raise ValueError("a call is a JSON object")  # noqa: TRY004 - as every other body that is none


def _once(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

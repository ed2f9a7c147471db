"""What is served beside the work: calls, reference images and figures, from before the first order to after the last answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from orchestrator.app.outside import Outside
from orchestrator.app.setup import CannotStart, Setup
from orchestrator.config import secret_in
from orchestrator.engine.news import Event, Listener, News
from orchestrator.engine.receiving import Receiver
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.served import Shelf
from orchestrator.jobs.secrets import Redactor
from orchestrator.providers.webhooks import Webhooks
from orchestrator.results import DecodePool
from orchestrator.results import References as Copies
from orchestrator.store.store import Store

if TYPE_CHECKING:
    from orchestrator.app.metrics import Metrics

METRICS_TOKEN = "ORCHESTRATOR_METRICS_TOKEN"  # noqa: S105 - the name of a variable


class Reception:
    """Open until its stack ends; the runtime that is at work hears of every call."""

    def __init__(self, setup: Setup, outside: Outside, listeners: Sequence[Listener]) -> None:
        self._setup, self._outside, self._listeners = setup, outside, listeners
        self.called = asyncio.Event()
        """Set at every new call."""
        self.metrics: Metrics | None = None
        self._runtime: Runtime | None = None

    def attend(self, runtime: Runtime) -> None:
        """Let a runtime hear of calls from now on."""
        self._runtime = runtime
        if self.metrics is not None:
            self.metrics.runtime = runtime

    def hear(self, event: Event) -> None:
        """Count an event, once figures are shown."""
        if self.metrics is not None:
            self.metrics.hear(event)

    async def open(self, stack: AsyncExitStack, store: Store) -> None:
        """Listen, unless that is another process's part; raise `BadInput`, or `CannotStart` where it is not possible."""
        from orchestrator.app.metrics import CONTENT_TYPE, Metrics  # noqa: PLC0415
        from orchestrator.web import Calls, Figures, Limits, References, Site, Unserved  # noqa: PLC0415 - most runs serve nothing

        if (listen := self._outside.listen) is None:
            return
        setup, limits = self._setup, Limits()
        accounts = [row.settings for row in (await store.accounts()).values()]
        keys = self._outside.keys(accounts)
        token = secret_in(METRICS_TOKEN, setup.problems)
        setup.problems.raise_if_any()
        self._news = News(setup.clock, Redactor([key for both in keys.values() for key in both]), *self._listeners)
        webhooks = Webhooks(setup.registry, {account.provider for account in accounts})
        receiver = Receiver(store, webhooks, keys, self._outside.mint, setup.clock, self._heard)
        calls = Calls(receiver, limits, setup.clock, self._turned_away)
        self.metrics = metrics = Metrics(store)
        metrics.runtime = self._runtime
        figures = Figures(lambda: metrics.text(setup.clock.now(), dict(calls.answers)), CONTENT_TYPE, token)
        copies = Copies(setup.reference_folder, DecodePool())
        references = References(Shelf(store, self._outside.mint, copies), limits)
        try:
            site = await stack.enter_async_context(
                Site(listen.host, listen.port, [calls, references, figures], limits, self._failed)
            )
        except Unserved as error:
            raise CannotStart(str(error)) from error
        self._news.tell("listening", host=listen.host, port=site.port, public_url=self._outside.public_url)

    def _heard(self) -> None:
        self.called.set()
        if self._runtime is not None:
            self._runtime.called()

    def _turned_away(self, why: Counter[str]) -> None:
        self._news.tell("calls_turned_away", calls={str(name): number for name, number in why.items()})

    def _failed(self, error: Exception) -> None:
        self._news.tell("serving_failed", reason=f"{type(error).__name__}: {error}")

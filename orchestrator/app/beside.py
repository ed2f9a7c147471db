"""What goes on beside the work of a run: calls are received, and its end is told to whoever does not watch."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cached_property

from orchestrator.app import tracing
from orchestrator.app.notices import NOTIFY_SECRET, Courier, notices_of
from orchestrator.app.outside import Outside
from orchestrator.app.reception import Reception
from orchestrator.app.setup import Setup
from orchestrator.config import secret_in
from orchestrator.engine.ending import Outcome
from orchestrator.engine.news import Listener, News
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.secrets import Redactor
from orchestrator.store.reading import Overview
from orchestrator.store.store import Store


class Beside(Setup):
    """Receives and tells."""

    reception: Reception | None = None
    """Where calls are received, if that is not each run's own business."""

    @cached_property
    def outside(self) -> Outside:
        """How this program is reached from outside."""
        return Outside(self)

    def ears(self, stack: AsyncExitStack, listeners: Sequence[Listener], reception: Reception) -> list[Listener]:
        """Return everybody who hears of a run; spans go on until `stack` ends."""
        spans = tracing.spans(stack, self.problems) if tracing.is_wanted() else None
        return [*listeners, reception.hear, *([spans] if spans is not None else [])]

    def receiving(self, listeners: Sequence[Listener]) -> Reception:
        """Return where calls of a run are received."""
        return self.reception or Reception(self, self.outside, listeners)

    @cached_property
    def courier(self) -> Courier | None:
        """Who brings notices; None where nobody wants any. A missing key is a problem."""
        notify = self.settings.notify
        if notify is None:
            return None
        secret = secret_in(NOTIFY_SECRET, self.problems)
        if notify.url is not None and secret is None:
            self.problems.add(f"notify.url needs a key to sign with; set the environment variable {NOTIFY_SECRET}")
        return Courier(notify, secret, self.clock)

    async def notify(self, outcome: Outcome, overviews: Sequence[Overview], listeners: Sequence[Listener]) -> None:
        """Tell what the end of a run has to tell; what could not be told is an event."""
        for notice in notices_of(outcome, overviews):
            failures = await self.courier.deliver(notice) if self.courier is not None else []
            for reason in failures:
                News(self.clock, Redactor(), *listeners).tell("notice_failed", notice=notice.kind, reason=reason)

    async def receive(self, stack: AsyncExitStack, store: Store, runtime: Runtime, reception: Reception) -> None:
        """Let the runtime hear of calls, received here as long as `stack` lasts or wherever they are received already."""
        reception.attend(runtime)
        if self.reception is None:
            await reception.open(stack, store)

"""One paid exchange: a request goes out once, and what comes back is kept before anybody reads it."""

from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.engine.previews import Previews
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.attempts import Phase
from orchestrator.jobs.failures import Signal
from orchestrator.providers.base import Provider, Shape, StreamProvider
from orchestrator.results import AnswerSink
from orchestrator.store.records import Job
from orchestrator.transport.messages import Answer, Request, Unanswered, Unsent

_BEFORE_SENDING = frozenset({Signal.NOT_CONNECTED, Signal.BAD_CERTIFICATE})

Pay = partial[Coroutine[Any, Any, Answer]]
"""A paid request that waits only for where its answer goes."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending a request: an answer, or why there is none."""

    answer: Answer | None
    error: Unsent | Unanswered | None

    @property
    def signal(self) -> Signal | int:
        """What the failure table asks for."""
        if self.answer is not None:
            return self.answer.status
        return self.error.signal if self.error else Signal.CUT

    @property
    def phase(self) -> Phase:
        """How far the request got, as far as its end tells."""
        if self.answer is not None:
            return Phase.ANSWERED
        return Phase.CONNECTING if self.signal in _BEFORE_SENDING else Phase.SENT


class Exchange:
    """Sends paid requests of one account."""

    def __init__(self, tools: Tools, settings: AccountSettings) -> None:
        self._tools, self._settings = tools, settings

    async def of(self, job: Job, provider: Provider, request: Request) -> Sent:
        """Send the request of an attempt once and return what came of it; a synchronous answer is in the spool before."""
        timeouts = self._settings.timeouts
        synchronous = provider.capabilities.shape_for(self._settings.options) is Shape.SYNCHRONOUS
        within = timeouts.submit_synchronous if synchronous else timeouts.submit_task
        pay = partial(self._tools.transport.pay, request, self._settings, within=within)
        try:
            if not synchronous:
                return Sent(await pay(), None)
            with self._tools.spool.sink(str(job.attempt_id)) as sink:
                return await self._spooled(job, provider, pay, sink)
        except (Unsent, Unanswered) as error:
            return Sent(None, error)

    async def _spooled(self, job: Job, provider: Provider, pay: Pay, sink: AnswerSink) -> Sent:
        try:
            if not isinstance(provider, StreamProvider):
                return Sent(await pay(sink=sink), None)
            async with Previews(self._tools, job, provider, sink) as watched:
                return Sent(await pay(sink=watched), None)
        except Unanswered as error:
            if sink.disk_error is None:
                raise
            reason = f"the answer came and could not be written: {sink.disk_error}"
            self._tools.brake.pull(reason)
            raise Unanswered(error.signal, reason) from error

"""Notices to whoever does not watch: a batch has ended, has paused, or has jobs that only the user can settle.

`notify` in orchestrator.toml names an address, which gets a POST signed as Standard Webhooks, or a command, which gets the same
JSON on its standard input, or both. A notice that does not arrive is told of, and changes nothing else.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import backoff

from orchestrator.config import Notify
from orchestrator.engine.ending import Ending, Outcome
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.deadlines import text_of
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.secrets import Secret
from orchestrator.providers.signatures import Signing, signed
from orchestrator.store.reading import Overview
from orchestrator.transport import notices as wire
from orchestrator.transport.messages import Unanswered

NOTIFY_SECRET = "ORCHESTRATOR_NOTIFY_SECRET"  # noqa: S105 - the name of a variable
TRIES = 5
FIRST_WAIT = 1.0
"""Seconds before the second try; it doubles."""
_COMMAND_WITHIN = 30.0
_PRIVATE = ("_KEY", "_KEY_FILE", "_SECRET", "_SECRET_FILE", "_SECRET_OLD", "_TOKEN")
"""Ends of the names of variables that a command does not inherit."""


class Undelivered(Exception):
    """A notice did not arrive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing to tell."""

    kind: str
    """`batch.ended`, `batch.paused` or `batch.uncertain`."""
    data: dict[str, Any]


def notices_of(outcome: Outcome, overviews: Sequence[Overview]) -> Iterator[Notice]:
    """Yield what the end of a run has to tell; a user who stopped it knows that already."""
    for overview in overviews:
        data = _figures(overview)
        if outcome.ending is Ending.OVER:
            yield Notice(kind="batch.ended", data=data)
        elif outcome.ending is Ending.PAUSED:
            yield Notice(kind="batch.paused", data={**data, "reasons": _reasons(outcome)})
        if overview.states.get(State.UNCERTAIN) and outcome.ending in (Ending.OVER, Ending.PAUSED):
            yield Notice(kind="batch.uncertain", data=data)


def _figures(overview: Overview) -> dict[str, Any]:
    return {
        "batch": overview.batch.name,
        "states": {str(state): number for state, number in overview.states.items()},
        "images_asked": overview.images_asked,
        "images_saved": overview.images_saved,
        "spent_usd": f"{overview.spent:f}",
        "perhaps_spent_usd": f"{overview.at_stake:f}",
    }


def _reasons(outcome: Outcome) -> list[str]:
    reasons = [f"{account}: {failure.code}: {failure.message}" for account, failure in outcome.paused.items()]
    reasons += [outcome.halted] if outcome.halted else []
    return reasons + ["a budget is reached" for _ in outcome.shortages[:1]]


class Courier:
    """Delivers notices; `secret` signs what goes to an address."""

    def __init__(self, notify: Notify, secret: Secret | None, clock: Clock, *, first_wait: float = FIRST_WAIT) -> None:
        self._notify, self._secret, self._clock, self._first_wait = notify, secret, clock, first_wait
        self._told: dict[tuple[str, str], dict[str, Any]] = {}

    async def deliver(self, notice: Notice) -> list[str]:
        """Bring a notice to everybody, unless the last of its kind said the same; return why it did not arrive, if so."""
        if self._told.get((notice.kind, notice.data["batch"])) == notice.data:
            return []
        self._told[notice.kind, notice.data["batch"]] = notice.data
        body = json.dumps({"type": notice.kind, "timestamp": text_of(self._clock.now()), "data": notice.data}).encode()
        ways = [self._post(body)] if self._notify.url else []
        ways += [self._run(body)] if self._notify.command else []
        return [failure for failure in await asyncio.gather(*map(_failure, ways)) if failure is not None]

    async def _post(self, body: bytes) -> None:
        identifier = f"msg_{secrets.token_hex(16)}"  # the same at every try: whoever gets it twice can tell

        @backoff.on_exception(backoff.expo, Undelivered, max_tries=TRIES, factor=self._first_wait, jitter=None)
        async def send() -> None:
            headers = {"Content-Type": "application/json"}
            if self._secret is not None:
                headers |= signed(Signing.STANDARD, self._secret, identifier, body, self._clock.now())
            try:
                status = await wire.post(str(self._notify.url), headers, body)
            except Unanswered as error:
                raise Undelivered(str(error)) from error
            if status not in range(200, 300):
                raise Undelivered(f"the address answered with HTTP {status}")

        await send()

    async def _run(self, body: bytes) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.endswith(_PRIVATE)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._notify.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=kept
            )
        except OSError as error:
            raise Undelivered(f"{self._notify.command[0]} cannot be started: {error.strerror}") from error
        try:
            await asyncio.wait_for(process.communicate(body), _COMMAND_WITHIN)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Undelivered(f"{self._notify.command[0]} did not end within {_COMMAND_WITHIN:.0f} s") from error
        if process.returncode:
            raise Undelivered(f"{self._notify.command[0]} ended with {process.returncode}")


async def _failure(way: Awaitable[None]) -> str | None:
    try:
        await way
    except Undelivered as error:
        return str(error)
    return None

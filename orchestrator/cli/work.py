"""`run` and `resume`: work that is watched, can be stopped, and ends with words on what became of everything."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.app import App, Begun, Finished, Followed, Follower, Listeners
from orchestrator.cli.again import Again
from orchestrator.cli.closing import closing_words
from orchestrator.cli.options import Pace, Reach, Reading, Voice, Where
from orchestrator.cli.outcome import Stopped, exit_code, first_cause
from orchestrator.cli.redaction import redactor_of
from orchestrator.cli.settings import app_of
from orchestrator.cli.signals import Stop
from orchestrator.cli.view import View, view_of
from orchestrator.cli.words import harmless
from orchestrator.engine.board import Board
from orchestrator.engine.news import Event
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.clock import SystemClock

_REFRESH = 0.25
"""Seconds between two pictures."""
_MOST_WARNINGS = 20

Work = Callable[[App, Listeners, Begun, Followed], Awaitable[Finished]]


async def run_file(file: Path, where: Where, voice: Voice, reading: Reading, pace: Pace, reach: Reach) -> int:
    """Work through a batch file and return the exit code."""

    async def work(app: App, listeners: Listeners, begun: Begun, followed: Followed) -> Finished:
        return await app.run(file, listeners, begun, followed)

    return await _reported(work, partial(app_of, where, reading, pace, reach), Again(where=where), voice)


async def resume(batch: str | None, where: Where, voice: Voice, pace: Pace, reach: Reach) -> int:
    """Go on with one batch or all, and return the exit code."""

    async def work(app: App, listeners: Listeners, begun: Begun, _: Followed) -> Finished:
        return await app.resume(batch, listeners, begun)

    return await _reported(work, partial(app_of, where, pace=pace, reach=reach), Again(where=where), voice)


async def _reported(work: Work, make: Callable[[], App], again: Again, voice: Voice) -> int:
    """Watch the work; whoever reads events gets a last one whatever happens."""
    clock = SystemClock()
    view = view_of(voice, clock)
    outcome: dict[str, Any] = {"states": {}, "manifests": []}
    try:
        app = make()
        finished = await _watched(work, app, view)
        for line in await closing_words(app, finished, again, quiet=voice.quiet):
            view.say(line)
        outcome = _outcome(finished) | {"exit_code": finished.exit_code}
    except Exception as error:
        outcome |= {"exit_code": exit_code(error), "error": redactor_of()(str(first_cause(error)))}
        raise
    finally:
        if "exit_code" in outcome:
            view.hear(Event(name="run_finished", time=clock.now(), facts=outcome))
    return finished.exit_code


def _outcome(finished: Finished) -> dict[str, Any]:
    states: dict[str, int] = {}
    for overview in finished.overviews:
        for state, jobs in overview.states.items():
            states[str(state)] = states.get(str(state), 0) + jobs
    return {"states": states, "manifests": [str(path) for path in finished.manifests]}


async def _watched(work: Work, app: App, view: View) -> Finished:
    watch = _Watch(app, view)
    with Stop(view.say) as stop:
        try:
            begin = partial(watch.begin, stop)
            return await work(app, [watch.hear], begin, begin)
        except asyncio.CancelledError:
            if not stop.before_work:
                raise
            raise Stopped("stopped; nothing was sent") from None
        finally:
            await watch.end()


class _Watch:
    """Keeps the view up to date from the first event to the last."""

    def __init__(self, app: App, view: View) -> None:
        self._app, self._view = app, view
        self._drawing: asyncio.Task[None] | None = None

    def hear(self, event: Event) -> None:
        if event.name == "run_started":
            self._warn()
        self._view.hear(event)

    def begin(self, stop: Stop, runtime: Runtime | Follower, board: Board) -> None:
        stop.watch(runtime)
        self._view.begin(board)
        if isinstance(runtime, Follower):
            self._view.say("an engine is at work on the store: it is asked to take the batch; Ctrl-C only ends the watching")
        if self._drawing is None:
            self._drawing = asyncio.create_task(self._draw())

    async def end(self) -> None:
        """Stop drawing; an error in it comes out here, after the work is done."""
        self._view.end()
        if self._drawing is not None:
            self._drawing.cancel()
            with suppress(asyncio.CancelledError):
                await self._drawing

    async def _draw(self) -> None:
        while True:
            self._view.refresh()
            await asyncio.sleep(_REFRESH)

    def _warn(self) -> None:
        warnings = self._app.warnings
        for warning in warnings[:_MOST_WARNINGS]:
            self._view.say(harmless(str(warning)))
        if len(warnings) > _MOST_WARNINGS:
            self._view.say(f"and {len(warnings) - _MOST_WARNINGS} more warnings")

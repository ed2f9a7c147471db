"""`serve`: a process that stays, receives calls and works, and speaks in lines or in JSON."""

import asyncio
import signal
import sys
from dataclasses import replace

from orchestrator.cli.options import Reach, Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import lasting
from orchestrator.cli.view import JsonView, PlainView
from orchestrator.cli.words import harmless
from orchestrator.jobs.clock import SystemClock

_LISTEN = "127.0.0.1:8765"


async def serve(where: Where, voice: Voice, reach: Reach, *, no_work: bool) -> int:
    """Serve until a signal comes, which is the ordinary end; a second one ends at once."""
    app = app_of(where, reach=replace(reach, listen=reach.listen or _LISTEN))
    error = lasting(sys.stderr)
    view = JsonView(lasting(sys.stdout), error) if voice.json else PlainView(error, voice, SystemClock())

    def hear() -> None:
        view.say("stopping: what is paid for is finished; a second Ctrl-C stops at once")
        app.stop()

    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, hear)
    for warning in app.warnings:
        view.say(harmless(str(warning)))
    await app.serve([view.hear], work=not no_work)
    return 0

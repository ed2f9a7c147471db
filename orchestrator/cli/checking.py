"""`validate`: what is wrong with a batch file, or what it asks for."""

from dataclasses import asdict
from pathlib import Path

from orchestrator.app import App
from orchestrator.cli.event_words import costs, json_line
from orchestrator.cli.options import Reading, Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import say
from orchestrator.cli.words import counted, harmless


async def validate(file: Path, where: Where, voice: Voice, reading: Reading) -> int:
    """Say what a batch file asks for; raise `BadInput` with every problem."""
    app = app_of(where, reading)
    totals = asdict(await app.validate(file))
    say_warnings(app, voice)
    if voice.json:
        print(json_line(totals))
    elif not voice.quiet:
        print(f"{counted(totals['jobs'], 'job')}, {counted(totals['images'], 'image')}; {costs(totals)}; no problems")
    return 0


def say_warnings(app: App, voice: Voice) -> None:
    """Say what the user should know of a file that may run all the same."""
    for warning in app.warnings:
        if not voice.quiet:
            say(harmless(str(warning)))

"""`export`: the manifest as a file or on standard output."""

from pathlib import Path

from orchestrator.cli.options import Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import say
from orchestrator.cli.words import counted, harmless
from orchestrator.manifest import STANDARD_OUTPUT, Form


async def export(batch: str | None, form: str, output: Path | None, where: Where, voice: Voice) -> int:
    """Write the manifest of one batch and return 0, whatever the states of its jobs."""
    written = await app_of(where).export(batch, Form(form), output or STANDARD_OUTPUT, show=harmless)
    if output is not None and str(output) != STANDARD_OUTPUT and not voice.quiet:
        say(f"{counted(written, 'job')} written to {harmless(str(output))}")
    return 0

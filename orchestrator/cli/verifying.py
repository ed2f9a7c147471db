"""`verify`: the findings of an audit, or what a repair made of them."""

import sys
from collections.abc import Callable
from dataclasses import asdict

from orchestrator.app import Ear, Mended, Verified
from orchestrator.cli.event_words import json_line
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.settings import app_of
from orchestrator.cli.streams import is_screen, say
from orchestrator.cli.words import counted, harmless
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.deadlines import text_of

FOUND = 1
"""Exit code when something is not as it must be."""

_PAUSE = 5.0
"""Seconds between lines of progress."""


async def verify(batch: str | None, where: Where, voice: Voice, *, repair: bool) -> int:
    """Print what was found and return 0 when nothing is left of it, else 1; raise `NotFound` or `CannotStart`."""
    app = app_of(where)
    ear = Ear(_json_teller(app.clock) if voice.json else _tell, _Progress(app.clock, voice).hear)
    verified = await (app.repair(batch, ear) if repair else app.verify(batch, ear))
    if voice.json:
        print(json_line({"event": "verified", "time": text_of(app.clock.now()), **asdict(verified)}))
    elif not voice.quiet:
        print(_summary(verified))
    return FOUND if verified.left else 0


class _Progress:
    """A line now and then, for a person who waits."""

    def __init__(self, clock: Clock, voice: Voice) -> None:
        self._clock, self._wanted = clock, is_screen(sys.stderr) and not voice.quiet
        self._said_at = clock.monotonic()

    def hear(self, batch: str, jobs: int) -> None:
        if self._wanted and self._clock.monotonic() - self._said_at >= _PAUSE:
            self._said_at = self._clock.monotonic()
            say(f"{harmless(batch)}: {counted(jobs, 'job')} looked at")


def _tell(mended: Mended) -> None:
    finding = mended.finding
    about = finding.file or finding.key or finding.batch or "the store"
    whose = f" ({finding.key})" if finding.file and finding.key else ""
    kind = "repaired" if mended.done else finding.kind.value
    print(harmless(f"{kind}: {about}{whose}: {mended.message}"))


def _json_teller(clock: Clock) -> Callable[[Mended], None]:
    def tell(mended: Mended) -> None:
        finding = mended.finding
        print(
            json_line(
                {
                    "event": "repaired" if mended.done else "finding",
                    "time": text_of(clock.now()),
                    "batch": finding.batch,
                    "key": finding.key,
                    "file": finding.file,
                    "kind": finding.kind,
                    "message": mended.message,
                }
            )
        )

    return tell


def _summary(verified: Verified) -> str:
    """Return one line: what was looked at, and whether the books balance."""
    looked = f"{counted(verified.jobs, 'job')} and {counted(verified.files, 'file')} looked at"
    repaired = [f"{verified.mended} repaired"] if verified.mended else []
    left = "nothing is amiss" if not verified.left else counted(verified.left, "finding")
    beside = ["an engine is at work: what it has not finished was passed over"] if verified.beside_engine else []
    return "; ".join([looked, *repaired, left, *beside])

"""How a run is watched: plain lines, silence or JSON; the picture on a terminal is `live.py`."""

import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from orchestrator.cli.event_words import OPENING, as_json, is_told, json_line, keyed_line, log_line, opening
from orchestrator.cli.hindrance import Hindrance
from orchestrator.cli.options import Voice
from orchestrator.cli.streams import is_screen, lasting
from orchestrator.cli.words import states_in_order
from orchestrator.engine.news import Event
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.durations import human

if TYPE_CHECKING:
    from orchestrator.engine.board import Board

_EVERY = 10.0
"""Seconds after which a log gets a line of progress at the latest."""
_STEPS = 10
"""Lines of progress that a run writes at least, however short it is."""


class View(Protocol):
    """One way to show a run."""

    def hear(self, event: Event) -> None:
        """Tell what happened."""

    def begin(self, board: "Board") -> None:
        """Begin to show figures."""

    def refresh(self) -> None:
        """Show the figures as they are now; called some times a second."""

    def say(self, line: str) -> None:
        """Tell the user something that is no event."""

    def end(self) -> None:
        """Stop showing figures."""


def view_of(voice: Voice, clock: Clock) -> View:
    """Return the view that the options and the terminal call for."""
    error = lasting(sys.stderr)
    if voice.json:
        return JsonView(lasting(sys.stdout), error)
    if voice.quiet or not is_screen(error):
        return PlainView(error, voice, clock)
    from orchestrator.cli.live import LiveView  # noqa: PLC0415 - rich is of no use without a terminal

    return LiveView(error, voice, clock)


class PlainView:
    """Log lines, and now and then one of progress."""

    def __init__(self, stream: TextIO, voice: Voice, clock: Clock) -> None:
        self._stream, self._voice, self._clock = stream, voice, clock
        self._board: Board | None = None
        self._hindrance = Hindrance()
        self._told_at = 0.0
        self._told_step = 0

    def hear(self, event: Event) -> None:
        """Write the event, if it is worth a line."""
        self._hindrance.hear(event)
        if event.name in OPENING and not self._voice.quiet:
            self.say(opening(event))
        elif is_told(event, self._voice):
            self.say(log_line(event))

    def begin(self, board: "Board") -> None:
        """Begin to write progress."""
        self._board = board
        self._told_step = _step(board)

    def refresh(self) -> None:
        """Write a line of progress when one is due."""
        board = self._board
        if board is None or self._voice.quiet:
            return
        if board.elapsed - self._told_at >= _EVERY or _step(board) > self._told_step:
            self._told_at, self._told_step = board.elapsed, _step(board)
            self.say(keyed_line(self._clock.now(), "progress", _progress(board, self._hindrance.code)))

    def say(self, line: str) -> None:
        """Write one line."""
        print(line, file=self._stream, flush=True)

    def end(self) -> None:
        """Write what progress there was since the last line, and stop."""
        self.refresh()
        self._board = None


class JsonView:
    """One JSON event a line on standard output; what is no event goes to standard error."""

    def __init__(self, stream: TextIO, error: TextIO) -> None:
        self._stream, self._error = stream, error

    def hear(self, event: Event) -> None:
        """Write the event, whatever it is."""
        print(json_line(as_json(event)), file=self._stream, flush=True)

    def begin(self, board: "Board") -> None:
        """Show no figures: events say it all."""

    def refresh(self) -> None:
        """Show no figures."""

    def say(self, line: str) -> None:
        """Write a line beside the events."""
        print(line, file=self._error, flush=True)

    def end(self) -> None:
        """Show no figures."""


def _step(board: "Board") -> int:
    return board.at_rest * _STEPS // board.total if board.total else 0


def _progress(board: "Board", held_back: str | None) -> dict[str, Any]:
    return {
        "at_rest": board.at_rest,
        "jobs": board.total,
        **{str(state): count for state, count in states_in_order(board.states)},
        "images": board.images,
        "spent": board.spent,
        "unpriced": board.unpriced or None,
        "at_stake": board.at_stake or None,
        "held_back": held_back,
        **_pace(board),
        "elapsed": human(board.elapsed),
        "remaining": human(board.remaining) if board.remaining is not None else None,
    }


def _pace(board: "Board") -> dict[str, Any]:
    ahead, outlook = board.ahead, board.outlook
    holds = outlook.holds() if outlook is not None else []
    return {
        "per_minute": round(board.per_minute, 1) if board.images else None,
        "binding": f"{ahead.account}:{ahead.binding}={ahead.limit}" if ahead is not None else None,
        "throttled": (outlook.throttles or None) if outlook is not None else None,
        "gate": [f"{hold.account}:{human(hold.seconds)}" for hold in holds] or None,
    }

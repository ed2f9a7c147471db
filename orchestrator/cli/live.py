"""The picture of a run on a terminal: a bar, jobs per state, money and trouble, a few times a second."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.event_words import OPENING, TROUBLE, is_told, log_line, opening, spent
from orchestrator.cli.hindrance import Hindrance
from orchestrator.cli.options import Voice
from orchestrator.cli.words import STATE_WORDS, brief, counted, money, states_in_order
from orchestrator.engine.news import Event
from orchestrator.jobs.clock import Clock
from orchestrator.jobs.durations import human
from orchestrator.jobs.lifecycle import State

if TYPE_CHECKING:
    from orchestrator.engine.board import Board

_BAR = 40
"""Columns of the bar."""
_COLOURS = {
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.EXPIRED: "red",
    State.UNCERTAIN: "yellow",
}


class LiveView:
    """Figures that stay at the bottom of the terminal, and lines above them."""

    def __init__(self, stream: TextIO, voice: Voice, clock: Clock) -> None:
        self._voice, self._clock = voice, clock
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._live: Live | None = None
        self._board: Board | None = None
        self._hindrance = Hindrance()

    def hear(self, event: Event) -> None:
        """Write the event above the figures, if it is worth a line."""
        self._hindrance.hear(event)
        if event.name in OPENING:
            self.say(opening(event))
        elif is_told(event, self._voice):
            self._print(Text(log_line(event), style="red" if event.name in TROUBLE else ""))

    def begin(self, board: "Board") -> None:
        """Begin to show the figures."""
        self._board = board
        # It refreshes by our own clock alone: a thread of its own would read the figures while they change.
        self._live = Live(self._picture(board), console=self._console, auto_refresh=False, transient=True)
        self._live.start(refresh=True)

    def refresh(self) -> None:
        """Draw the figures."""
        if self._live is not None and self._board is not None:
            self._live.update(self._picture(self._board), refresh=True)

    def say(self, line: str) -> None:
        """Write a line above the figures."""
        self._print(Text(line))

    def end(self) -> None:
        """Take the figures away; the closing words follow."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _picture(self, board: "Board") -> RenderableType:
        trouble = [_one_line(line, "yellow") for line in self._trouble(board)]
        return Group(_bar(board), _states(board), _figures(board), *trouble)

    def _trouble(self, board: "Board") -> Iterator[str]:
        if board.states[State.UNCERTAIN]:
            known = f", at most {money(board.at_stake)} came into doubt in this run" if board.at_stake else ""
            yield f"{counted(board.states[State.UNCERTAIN], 'job')} uncertain: perhaps paid{known}"
        for account, why in board.paused.items():
            yield f"paused: {brief(account)}: {brief(why)}"
        if self._hindrance.code is not None:
            wait = human(self._hindrance.wait(self._clock.now()))
            yield f"held back for {wait}: {self._hindrance.code}: {brief(self._hindrance.message)}"


def _bar(board: "Board") -> RenderableType:
    row = Table.grid(padding=(0, 2))
    share = f"{board.at_rest * 100 // board.total} %" if board.total else ""
    bar = ProgressBar(total=max(board.total, 1), completed=board.at_rest, width=_BAR)
    row.add_row(bar, f"{board.at_rest}/{board.total} jobs", share, human(board.elapsed), _left(board))
    return row


def _left(board: "Board") -> str:
    if board.at_rest == board.total and board.states[State.UNCERTAIN]:
        return "asking what became of the uncertain"
    return f"about {human(board.remaining)} left" if board.remaining is not None else ""


def _states(board: "Board") -> Text:
    counts = states_in_order(board.states)
    return _one_line(Text(" · ").join(Text(f"{count} {STATE_WORDS[state]}", _COLOURS.get(state, "")) for state, count in counts))


def _figures(board: "Board") -> Text:
    known = [f"{counted(board.images, 'image')} saved", spent(board.spent, board.unpriced), *_pace(board)]
    return _one_line(" · ".join(known))


def _pace(board: "Board") -> Iterator[str]:
    """Yield how fast it goes, what binds, and what holds it up."""
    if board.images:
        yield f"{board.per_minute:.1f} images a minute"
    if (ahead := board.ahead) is not None:
        yield f"bound by {ahead.binding} {ahead.limit} of {brief(ahead.account)}"
    if board.outlook is None:
        return
    if board.outlook.throttles:
        yield f"{board.outlook.throttles} throttled"
    for hold in board.outlook.holds():
        yield f"{brief(hold.account)} asks to wait {human(hold.seconds)}"


def _one_line(text: str | Text, style: str = "") -> Text:
    line = Text(text, style=style) if isinstance(text, str) else text
    line.no_wrap, line.overflow = True, "ellipsis"
    return line

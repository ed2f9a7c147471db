"""What Ctrl-C does: the first time everything paid for is finished, the second time nothing is waited for."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.cli.words import counted

if TYPE_CHECKING:
    from orchestrator.app import Follower
    from orchestrator.engine.runtime import Runtime

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], Any] | int | None


class Stop:
    """Listens for signals while a run goes on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._heard = 0
        self._runtime: Runtime | Follower | None = None
        self._task: asyncio.Task[object] | None = None
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        for each in _SIGNALS:
            self._before[each] = signal.getsignal(each)
            asyncio.get_running_loop().add_signal_handler(each, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hand_back(self._before)

    @property
    def before_work(self) -> bool:
        """Say whether a signal came before anything could be sent."""
        return self._heard > 0 and self._runtime is None

    def watch(self, runtime: "Runtime | Follower") -> None:
        """Let the next signal drain this runtime, or end the following of another one."""
        self._runtime = runtime

    def _hear(self) -> None:
        self._heard += 1
        if self._runtime is None:
            if self._task is not None:
                self._task.cancel()
        elif self._heard == 1:
            self._runtime.drain()
            self._say(_waiting(self._runtime.waiting_for, self._runtime.longest_wait))
        else:
            self._say(_cutting(self._runtime.waiting_for))
            self._runtime.abort()
            self._hand_back(dict.fromkeys(_SIGNALS, signal.SIG_DFL))  # a third signal ends the process

    def _hand_back(self, handlers: Mapping[signal.Signals, _Handler]) -> None:
        for each, handler in handlers.items():
            if asyncio.get_running_loop().remove_signal_handler(each):
                signal.signal(each, handler)


def _waiting(in_flight: int, longest: float) -> str:
    if not in_flight:
        return "stopping: nothing new is sent and no paid request is in flight; downloads under way are finished"
    return (
        f"stopping: nothing new is sent; waiting for {counted(in_flight, 'paid request')} in flight, at most {longest:.0f} s; "
        f"a second Ctrl-C stops at once and leaves {'it' if in_flight == 1 else 'them'} uncertain: perhaps paid, without a result"
    )


def _cutting(in_flight: int) -> str:
    if not in_flight:
        return "stopping at once"
    return f"stopping at once; {counted(in_flight, 'paid request')} in flight may be paid without a result"

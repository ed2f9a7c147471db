"""The program as a process of its own, to be killed: `python -m tests.engine.runner '{"action": "resume", ...}'`.

It prints one JSON object a line: when work begins, when a signal was heard, and at the end how it ended or why it could not
start.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.app import App, CannotStart, Finished, Options
from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from tests.clocks import FastClock


def main() -> None:
    """Do what the only argument says."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    asyncio.run(_work(order))


async def _work(order: dict[str, Any]) -> None:
    clock = FastClock(order["factor"], order["origin"])
    app = App(Options(db=order["db"], out=order["out"]), clock=clock, random=Random(order["seed"]))
    try:
        _say(_told(await _act(app, order)))
    except CannotStart as error:
        _say({"refused": str(error)})


async def _act(app: App, order: dict[str, Any]) -> Finished:
    if order["action"] == "run":
        return await app.run(Path(order["file"]), [], _begun)
    return await app.resume(None, [], _begun)


def _begun(runtime: Runtime, _board: Board) -> None:
    """The first signal drains, the second aborts, as the command line does it."""
    signals = 0

    def hear() -> None:
        nonlocal signals
        signals += 1
        _say({"signals": signals})
        if signals == 1:
            runtime.drain()
        else:
            runtime.abort()

    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, hear)
    _say({"begun": True})


def _told(finished: Finished) -> dict[str, Any]:
    return {"ending": finished.outcome.ending.value, "exit_code": finished.exit_code}


def _say(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

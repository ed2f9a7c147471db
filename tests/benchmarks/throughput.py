"""How fast the program is beside a bare loop, beside what latency allows, and how fast its store is alone.

Nothing here is a test: machines differ and drift, so it prints ratios of runs that took turns, and their spread.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import bare, program, store_alone
from tests.benchmarks.provider import provider

SLOTS = 64
SIDE = 64
"""Pixels per side of every picture: the orchestration is measured, not the decoder."""
LATENCY = 2.0
"""Seconds a synchronous answer takes in the second case."""
WAVES = 10
"""How often the second case fills every slot."""

Measurement = Callable[[Path], Coroutine[Any, Any, float]]
"""One run with an empty folder of its own; returns what was measured."""


def main() -> None:
    """Measure the cases that were asked for."""
    arguments = _arguments()
    cases = {"engine": _engine, "latency": _latency, "store": _store}
    for name in arguments.case or cases:
        cases[name](arguments.jobs, arguments.rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="jobs per run of the engine and of the store")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side; the latency case always has one")
    parser.add_argument("--case", action="append", choices=("engine", "latency", "store"), help="only this one; may be repeated")
    return parser.parse_args()


def _engine(jobs: int, rounds: int) -> None:
    """Measure orchestration: a provider that answers at once, 64 slots, small pictures."""
    prompts = [f"a red kite over hill {number}" for number in range(jobs)]

    async def bare_loop(folder: Path) -> float:
        return jobs / await bare.order_all(prompts, url, folder, SLOTS)

    async def whole_program(folder: Path) -> float:
        return jobs / await program.run(prompts, url=url, adapter="toapis", defaults=program.TASKS, folder=folder, slots=SLOTS)

    with provider(image_side=SIDE) as root:
        url = f"{root}/toapis"
        bare_rates, rates = _in_turns([bare_loop, whole_program], rounds)
    _title(f"{jobs} toapis jobs at 0 s latency, {SLOTS} slots")
    _row("bare loop", bare_rates, "jobs/s")
    _row("program", rates, "jobs/s")
    _row("ratio", [mine / others for mine, others in zip(rates, bare_rates, strict=True)], "(bar: 0.75)", digits=2)


def _latency(_jobs: int, _rounds: int) -> None:
    """Measure whether the slots are kept busy when answers take their time."""
    jobs = SLOTS * WAVES
    prompts = [f"a red kite over hill {number}" for number in range(jobs)]

    async def whole_program(folder: Path) -> float:
        return jobs / await program.run(
            prompts, url=url, adapter="openai-images", defaults=program.IMAGES, folder=folder, slots=SLOTS
        )

    with provider(image_side=SIDE, latency=LATENCY) as root:
        url = f"{root}/openai"
        (rates,) = _in_turns([whole_program], 1)
    _title(f"{jobs} openai-images jobs at {LATENCY:g} s latency, {SLOTS} slots")
    _row("program", rates, "jobs/s")
    _row("ratio", [rate / (SLOTS / LATENCY) for rate in rates], f"of {SLOTS / LATENCY:g} jobs/s (bar: 0.9)", digits=2)


def _store(jobs: int, rounds: int) -> None:
    """Measure the store alone, and what its group commit is worth."""
    grouping: list[float] = []

    async def together(folder: Path) -> float:
        pace = await store_alone.walk(folder, jobs=jobs, tasks=SLOTS)
        grouping.append(pace.steps_per_commit)
        return pace.steps_per_second

    async def alone(folder: Path) -> float:
        return (await store_alone.walk(folder, jobs=max(1, jobs // 10), tasks=1)).steps_per_second

    many, single = _in_turns([together, alone], rounds)
    _title(f"the store alone, {jobs} jobs of {store_alone.STEPS} durable steps")
    _row("1 task", single, "steps/s")
    _row(f"{SLOTS} tasks", many, "steps/s")
    _row("steps a commit", grouping, "")


def _in_turns(sides: Sequence[Measurement], rounds: int) -> list[list[float]]:
    """Run every side once a round, in alternating order; return the figures of each side."""
    figures: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        order = list(enumerate(sides))
        for index, side in order if number % 2 == 0 else reversed(order):
            gc.collect()  # what one side left behind is not on the other's bill
            with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
                figures[index].append(asyncio.run(side(Path(folder))))
    return figures


def _title(words: str) -> None:
    print(f"\n{words}\n{'':<16}{'min':>9}{'median':>9}{'max':>9}", flush=True)


def _row(name: str, figures: Sequence[float], unit: str, digits: int = 0) -> None:
    columns = (min(figures), statistics.median(figures), max(figures))
    print(f"{name:<16}" + "".join(f"{figure:>9,.{digits}f}" for figure in columns) + f"  {unit}", flush=True)


if __name__ == "__main__":
    main()

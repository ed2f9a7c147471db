"""How close the program comes to what an account allows, and how fair it is: the whole program against the simulator.

Time is virtual: it jumps to whatever is due next, so that a minute costs what happens in it. `--real` takes real time.

    python -m tests.benchmarks.pacing
    python -m tests.benchmarks.pacing --case polling --case fairness
    python -m tests.benchmarks.pacing --case stated --work "150 rpm" --kind bucket --real
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.engine.board import Board
from orchestrator.engine.runtime import Runtime
from orchestrator.jobs.clock import SystemClock
from orchestrator.simulator import Simulator, SimulatorOptions, Submission
from tests.clocks import JumpingClock
from tests.engine.bench import KEYS, SIDE, Bench, Row, rows
from tests.jobs.limiters import KINDS, ideal

MINUTE = 60.0
LIMITERS = {"bucket": "bucket", "fixed": "fixed window", "sliding": "sliding window"}
ROOM = {"concurrency": 64, "outstanding": 5000}


def say(case: str, what: str, figure: str, bar: str, *, good: bool) -> None:
    """Print one figure beside its bar."""
    print(f"{case:<22} {what:<44} {figure:>28}   bar: {bar:<22} {'met' if good else 'MISSED'}", flush=True)


@asynccontextmanager
async def bench_of(provider: str, clock: Any, account: dict[str, Any], **options: Any) -> AsyncIterator[Bench]:
    with TemporaryDirectory() as folder:
        async with Simulator(SimulatorOptions(image_side=SIDE, provider=provider, **options), clock=clock) as simulator:
            yield Bench(folder=Path(folder), simulator=simulator, provider=provider, clock=clock, account=account)


def mixed(count: int) -> list[Row]:
    return [{**row, "n": 1 + number % 4} for number, row in enumerate(rows(count))]


WORK: dict[str, tuple[str, int, list[Row]]] = {
    "5 ipm, n = 1..4 in turn": ("ipm", 5, mixed(30)),
    "5 ipm, n = 1..4 shuffled": ("ipm", 5, Random(1).sample(mixed(30), 30)),
    "150 rpm": ("rpm", 150, rows(600)),
}


def refused_after(bench: Bench, seconds: float) -> int:
    submissions = bench.simulator.ledger.submissions
    began = submissions[0].monotonic
    return sum(each.outcome == "throttled" and each.monotonic - began > seconds for each in submissions)


def seconds_of(accepted: Sequence[Submission]) -> float:
    return accepted[-1].monotonic - accepted[0].monotonic


def say_share(case: str, what: str, bench: Bench, needed: float) -> None:
    """Print how the time of a run compares with the ideal seconds, and the refusals after its first minute."""
    share, late = needed / seconds_of(bench.accepted()), refused_after(bench, MINUTE)
    say(case, what, f"{share:.3f} of ideal, {late} late 429s", ">= 0.95, 0", good=share >= 0.95 and not late)


async def stated(clock: Any) -> None:
    for name, (setting, limit, jobs) in WORK.items():
        for limiter, kind in LIMITERS.items():
            options = {setting: limit, "burst": limit, "limiter": limiter, "announces": False, "latency": 0.3}
            async with bench_of("openai-images", clock, {**ROOM, setting: limit}, **options) as bench:
                await bench.run(jobs)
                share = ideal(KINDS[kind](limit), [job.get("n", 1) for job in jobs]) / seconds_of(bench.accepted())
                late = refused_after(bench, MINUTE)
                say(
                    "stated",
                    f"{name}, {kind}",
                    f"{share:.3f} of ideal, {late} late 429s",
                    ">= 0.95, 0",
                    good=share >= 0.95 and not late,
                )


async def unknown(clock: Any) -> None:
    for name, (setting, limit, jobs) in WORK.items():
        long = [{**job, "id": f"{job['id']}-{part}", "prompt": f"{job['prompt']} {part}"} for part in range(3) for job in jobs]
        for limiter, kind in LIMITERS.items():
            rates = []
            for account in ({}, {setting: limit}):
                options = {setting: limit, "burst": limit, "limiter": limiter, "announces": False, "latency": 0.3}
                async with bench_of("openai-images", clock, {**ROOM, **account}, **options) as bench:
                    await bench.run(long)
                    rates.append(_rate(bench.accepted(), since=3 * MINUTE))
            share = rates[0] / rates[1]
            say("unknown", f"{name}, {kind}", f"{share:.3f} of stated after 3 windows", ">= 0.9", good=share >= 0.9)


def _rate(accepted: Sequence[Submission], since: float) -> float:
    late = [each for each in accepted if each.monotonic - accepted[0].monotonic >= since]
    return sum(each.n or 1 for each in late[:-1]) / seconds_of(late) * MINUTE


async def beside(clock: Any) -> None:
    for limiter, kind in LIMITERS.items():
        options = {"ipm": 40, "limiter": limiter, "latency": 0.3}
        async with bench_of("openai-images", clock, {**ROOM, "ipm": 40}, **options) as bench:
            batch = json.loads(bench.write([{**row, "prompt": f"second {row['prompt']}"} for row in rows(60)]).read_text())
            second = bench.folder / "second.yaml"
            second.write_text(json.dumps({**batch, "batch": "second"}))
            bench.write(rows(140))
            first = asyncio.create_task(bench.run())
            while len(bench.accepted()) < 60:  # noqa: ASYNC110 - the run is a task of this very loop
                await asyncio.sleep(0.005)
            await bench.app().run(second, [], lambda _runtime, _board: None)
            await first
            say_share("two batches", f"40 ipm, {kind}", bench, ideal(KINDS[kind](40), [1] * 200))


async def polling(clock: Any) -> None:
    for reports, most_delay in ((False, 0.12), (True, 0.05)):
        account = {"concurrency": 16, "outstanding": 60}
        options = {"duration": 20.0, "spread": 0.5, "reports_progress": reports}
        async with bench_of("toapis", clock, account, **options) as bench:
            await bench.run(rows(1200))
            polls, delay = len(bench.simulator.ledger.polls) / 1200, median(_delays(bench))
            what = "log-normal tasks" + (", progress told" if reports else "")
            good = polls <= 3.2 and delay <= most_delay
            say("polling", what, f"{polls:.2f} polls, {delay:.1%} late", f"<= 3.2, <= {most_delay:.0%}", good=good)
    async with bench_of("toapis", clock, {"concurrency": 64, "outstanding": 2000}, duration=120.0) as bench:
        await bench.run(rows(2000))
        per_second = Counter(int(poll.at) for poll in bench.simulator.ledger.polls)
        worst = max(per_second.values())
        say("polling", "2,000 outstanding", f"{worst} polls in the worst second", "<= 600", good=worst <= 600)


def _delays(bench: Bench) -> list[float]:
    known = {poll.task_id: poll.at for poll in bench.simulator.ledger.polls if poll.status == "completed"}
    ended = [(known[str(task.task_id)], task.at + (task.duration or 0.0), task.duration or 1.0) for task in bench.accepted()]
    return [(seen - end) / duration for seen, end, duration in ended]


async def waits(clock: Any) -> None:
    for form, advice in {"seconds": "3", "date": "date", "milliseconds": "ms"}.items():
        options: dict[str, Any] = {"retry_after": advice, "retry_after_seconds": 3.0}
        undercut = throttled = 0
        async with bench_of("openai-images", clock, {"concurrency": 1}, throttle_each=1, **options) as bench:
            await bench.run(rows(340))
            submissions = bench.simulator.ledger.submissions
            for before, after in pairwise(submissions):
                throttled += before.outcome == "throttled"
                undercut += before.outcome == "throttled" and after.monotonic - before.monotonic < 3.0 - 1e-6
        say("waits", f"Retry-After in {form}", f"{undercut} of {throttled} undercut", "0", good=undercut == 0)
    async with bench_of("openai-images", clock, {"concurrency": 1}, throttle_each=3) as bench:
        await bench.run(rows(1))
        moments = [each.monotonic for each in bench.simulator.ledger.submissions]
        gaps = [after - before for before, after in pairwise(moments)]
        good = all(least <= gap <= least * 1.3 for least, gap in zip((1.0, 2.0, 4.0), gaps, strict=True))
        say("waits", "first three without advice", ", ".join(f"{gap:.2f}" for gap in gaps), "1-1.3, 2-2.6, 4-5.2", good=good)


async def fairness(clock: Any) -> None:
    weights = {"red": 1, "green": 1, "blue": 2}
    async with bench_of("openai-images", clock, {"concurrency": 8, "ipm": 120}, ipm=120) as bench:
        for name, weight in weights.items():
            await _stored(bench, name, 120, weight)
        await bench.resume()
        first = Counter(str(each.prompt).partition(" ")[0] for each in bench.accepted()[:240])
        shares = [first[name] / weight for name, weight in weights.items()]
        index = sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))
        say("fairness", "three batches, weights 1:1:2", f"Jain index {index:.3f}", ">= 0.95", good=index >= 0.95)
    async with bench_of("openai-images", clock, {"concurrency": 8, "ipm": 60}, ipm=60) as bench:
        await _stored(bench, "large", 10_000, 1)
        await _stored(bench, "small", 10, 1)
        await bench.resume(limit=60)
        began = bench.accepted()[0].monotonic
        starts = [each.monotonic - began for each in bench.accepted() if str(each.prompt).startswith("small")]
        say("fairness", "10 jobs behind 10,000", f"first after {min(starts):.1f} s", "<= 60 s", good=min(starts) <= MINUTE)


async def _stored(bench: Bench, name: str, count: int, weight: int) -> None:
    jobs = [{"id": f"{name}-{number}", "prompt": f"{name} {number}"} for number in range(count)]
    batch = json.loads(bench.write(jobs).read_text())
    bench.file.write_text(json.dumps({**batch, "batch": name, "weight": weight}))
    await bench.run(limit=0)


async def forecast(clock: Any) -> None:
    cases: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "ipm": ("openai-images", {**ROOM, "ipm": 30}, {"ipm": 30, "latency": 2.0}),
        "rpm": ("openai-images", {**ROOM, "rpm": 60}, {"rpm": 60, "latency": 2.0}),
        "concurrency": ("openai-images", {"concurrency": 4}, {"latency": 5.0}),
        "outstanding": ("toapis", {"concurrency": 8, "outstanding": 20}, {"duration": 20.0, "spread": 0.5}),
    }
    for name, (provider, account, options) in cases.items():
        async with bench_of(provider, clock, account, **options) as bench:
            predicted, truth = await _predicted(bench, clock, 800)
            off = abs(predicted - truth) / truth
            say(
                "forecast",
                f"at a tenth, bound by {name}",
                f"{predicted:.0f} s said, {truth:.0f} s true",
                "within 10 %",
                good=off <= 0.1,
            )


async def _predicted(bench: Bench, clock: Any, jobs: int) -> tuple[float, float]:
    boards: list[Board] = []
    said: list[tuple[float, float]] = []

    def begun(_runtime: Runtime, board: Board) -> None:
        boards.append(board)

    async def ask() -> None:
        while not boards or boards[0].at_rest < jobs // 10:  # noqa: ASYNC110 - the run is a task of this very loop
            await asyncio.sleep(0.003)
        said.append((boards[0].remaining or 0.0, clock.monotonic()))

    asking = asyncio.create_task(ask())
    await bench.run(rows(jobs), begun=begun)
    await asking
    predicted, at = said[0]
    return predicted, clock.monotonic() - at


CASES: dict[str, Callable[[Any], Awaitable[None]]] = {
    "stated": stated, "unknown": unknown, "beside": beside, "polling": polling, "waits": waits, "fairness": fairness,
    "forecast": forecast,
}  # fmt: skip


async def main(chosen: Sequence[str], *, real: bool) -> None:
    for name in chosen:
        if real:
            await CASES[name](SystemClock())
        else:
            async with JumpingClock() as clock:
                await CASES[name](clock)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--work", choices=list(WORK), help="only this work, of the cases that have several")
    parser.add_argument("--kind", choices=list(LIMITERS), help="only this way to count")
    parser.add_argument("--real", action="store_true", help="take real time")
    options = parser.parse_args()
    os.environ.update(KEYS)
    for table, only in ((WORK, options.work), (LIMITERS, options.kind)):
        for name in [name for name in table if only is not None and name != only]:
            del table[name]
    sys.exit(asyncio.run(main(options.case or list(CASES), real=options.real)))

"""How the receiver stands a flood: `python -m tests.benchmarks.flood [--rate 10000] [--seconds 20] [--authentic 500]`.

A receiver in a process of its own, with a store of jobs in doubt; forged calls from this process at the rate offered; authentic
ones between them, sent again until they are heard. Prints what was offered, answered and applied, and the receiver's memory
and descriptors before and after.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.jobs.clock import SystemClock
from orchestrator.store.store import Store
from orchestrator.web import Limits
from tests.web.doorstep import Doorstep, hook, jobs_in_doubt, path_of

_CONNECTIONS = 64


async def receive(database: Path) -> None:
    """Be the receiver: print where, then answer a line on standard input with figures until it ends."""
    clock = SystemClock()
    async with Store.open(database, clock) as store, Doorstep(store=store, clock=clock, limits=Limits()) as door:
        print(door.site.port, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            noted = len({attempt for attempt, _ in await _all_noted(door)})
            figures = {"rss": _resident(), "fds": _descriptors(), "noted": noted, "answers": door.calls.answers}
            print(json.dumps(figures), flush=True)


async def _all_noted(door: Doorstep) -> list[tuple[str, str]]:
    batches = [batch.id for batch in await door.store.batches()]
    return [(call.attempt_id, call.remote_id) for call in await door.store.callbacks.waiting(batches, limit=100_000)]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def main(rate: int, seconds: float, authentic: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "orchestrator.db"
        async with Store.open(database, SystemClock()) as store:
            paths = [path_of(job) for job in await jobs_in_doubt(store, authentic)]
        pipe = asyncio.subprocess.PIPE
        receiver = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.flood", "--receive", str(database), stdin=pipe, stdout=pipe
        )
        if receiver.stdout is None or receiver.stdin is None:
            raise RuntimeError("the receiver has no pipes")
        url = f"http://127.0.0.1:{int(await receiver.stdout.readline())}"

        async def figures() -> dict[str, Any]:
            receiver.stdin.write(b"\n")  # type: ignore[union-attr]
            return dict(json.loads(await receiver.stdout.readline()))  # type: ignore[union-attr]

        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session, aiohttp.ClientSession() as honest:
            before = await figures()
            statuses: Counter[int] = Counter()
            begun = time.monotonic()
            heard = asyncio.create_task(_authentic(honest, url, paths, seconds))
            await _forge(session, url, rate, seconds, statuses)
            took = time.monotonic() - begun
            calls = await heard
        await asyncio.sleep(20)  # connections that are kept alive end after 15 s
        after = await figures()
        receiver.stdin.close()
        await receiver.wait()
    answered = sum(statuses.values())
    print(f"offered {rate}/s for {seconds:.0f} s; answered {answered} = {answered / took:.0f}/s: {dict(statuses)}")
    print(f"authentic: {after['noted']} of {authentic} applied, in {calls} calls")
    print(f"memory +{(after['rss'] - before['rss']) / 2**20:.1f} MiB; descriptors {before['fds']} -> {after['fds']}")


async def _forge(session: aiohttp.ClientSession, url: str, rate: int, seconds: float, statuses: Counter[int]) -> None:
    body, begun, sent = json.dumps(hook()).encode(), time.monotonic(), 0

    async def one(number: int) -> None:
        with suppress(aiohttp.ClientError, OSError):
            async with session.post(f"{url}/hooks/ttapi-4o/{number:032d}", data=body) as answer:
                statuses[answer.status] += 1

    waiting: set[asyncio.Task[None]] = set()
    while (now := time.monotonic() - begun) < seconds:
        while sent < now * rate and len(waiting) < 4 * _CONNECTIONS:
            task = asyncio.create_task(one(sent))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            sent += 1
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def _authentic(session: aiohttp.ClientSession, url: str, paths: list[str], seconds: float) -> int:
    calls = 0
    for number, path in enumerate(paths):
        while True:
            calls += 1
            with suppress(aiohttp.ClientError, OSError):
                async with session.post(url + path, json=hook(f"job-{number:06d}")) as answer:
                    if answer.status == 200:
                        break
            await asyncio.sleep(0.1)
        await asyncio.sleep(seconds / len(paths) / 2)
    return calls


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--authentic", type=int, default=500)
    parser.add_argument("--receive", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    asyncio.run(receive(given.receive) if given.receive else main(given.rate, given.seconds, given.authentic))

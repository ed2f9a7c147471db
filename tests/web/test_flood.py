"""Callers of every bad kind at once: nothing changes, nothing leaks, and every authentic call is applied between them."""

import asyncio
import json
import os
from itertools import cycle, islice
from pathlib import Path

import aiohttp
import pytest

from orchestrator.store.store import Store
from tests.clock import StillClock

from .doorstep import QUICK, Doorstep, hook, jobs_in_doubt, path_of

_OPEN = Path("/proc/self/fd")
_KINDS = (
    b"POST /hooks/ttapi-4o/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /hooks/toapis HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /hooks/ttapi-4o/x HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n",
    b"POST /hooks/ttapi-4o/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n123456789",
    b"POST /hooks/ttapi-4o/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /hooks/ttapi-4o/x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"POST /hooks/ttapi-4o/x HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 16_000 + b"\r\n\r\n",
    b"POST /hooks/ttapi-4o/x HTTP/1.1\r\nHost:",
)


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(_OPEN.iterdir()))


async def bad(door: Doorstep, content: bytes) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.site.port)
        writer.write(content)
        await asyncio.wait_for(reader.read(4096), 2)
        writer.close()
    except (ConnectionError, TimeoutError):
        pass


async def well_meant(door: Doorstep, path: str) -> None:
    """Call as a sender does that tries again until it is heard."""
    for _ in range(200):
        try:
            if await door.call(path, hook("job-" + path[-6:].replace("-", "x").replace("_", "y").replace("=", "z"))) == 200:
                return
        except (OSError, aiohttp.ClientError):
            pass
        await asyncio.sleep(0.01)
    raise AssertionError("an authentic call was never heard")


@pytest.mark.slow
@pytest.mark.skipif(not _OPEN.is_dir(), reason="counts what /proc tells")
async def test_a_flood_of_bad_callers_changes_nothing_and_keeps_no_authentic_call_out(store: Store, still: StillClock) -> None:
    jobs = await jobs_in_doubt(store, 40)
    before = await _states(store)
    async with Doorstep(store=store, clock=still, limits=QUICK) as door:
        await asyncio.gather(*(store.batches() for _ in range(6)))  # opens every reading connection there will be
        await well_meant(door, path_of(jobs[0]))
        memory, open_files = resident(), descriptors()
        flood = [asyncio.create_task(_flood(door, 150)) for _ in range(10)]
        await asyncio.gather(*(well_meant(door, path_of(job)) for job in jobs))
        await asyncio.gather(*flood)
        assert resident() - memory < 64 * 2**20
        assert {attempt for attempt, _ in await door.noted()} == {job.attempt_id for job in jobs}
        assert sum(door.calls.answers.values()) > 500
        await door.session.close()
        for _ in range(100):
            if descriptors() <= open_files:
                break
            await asyncio.sleep(0.02)
        assert descriptors() <= open_files
    assert await _states(store) == before


async def _flood(door: Doorstep, number: int) -> None:
    for content in islice(cycle(_KINDS[:-1]), number):
        await bad(door, content)
    await bad(door, _KINDS[-1])


async def _states(store: Store) -> str:
    found = [await store.overview(batch) for batch in await store.batches()]
    return json.dumps([{str(state): number for state, number in one.states.items()} for one in found])

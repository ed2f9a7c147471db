"""A paid result that the settings keep out of reach is not lost: its account stops, and a later run fetches it."""

import sqlite3
from contextlib import closing

from aiohttp import web

from .bench import Bench, assert_whole, query, rows
from .conftest import OpenBench
from .flaky import FlakyPolls, rubbish

ELSEWHERE = "https://files.example:8443"


class Moved(FlakyPolls):
    """Says that all results lie on another host, at a port that is none of https."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        answer = await super()._handle(request)
        assert isinstance(answer, web.Response)
        assert isinstance(answer.body, bytes)
        host = self._upstream.split("/", 3)[2]
        moved = answer.body.replace(f"http://{host}".encode(), ELSEWHERE.encode())
        return web.Response(status=answer.status, body=moved, content_type=answer.content_type)


def move_back(bench: Bench) -> None:
    """Stand in for settings that allow the other host, which does not exist here."""
    with closing(sqlite3.connect(bench.database)) as connection, connection:
        connection.execute("UPDATE image SET url = replace(url, ?, ?)", (ELSEWHERE, bench.simulator.base_url))


async def test_a_result_out_of_reach_pauses_its_account_and_is_fetched_once_it_may_be(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", account={"concurrency": 1, "outstanding": 1})
    async with Moved(bench.simulator.url_for("toapis"), rubbish, times=0) as gateway:
        bench.account = {**bench.account, "base_url": gateway.base_url}
        finished = await bench.run(rows(5))
        assert finished.exit_code == 4
        assert "at port 8443 of files.example" in finished.outcome.paused["studio"].message
        paid = len(bench.accepted())
        assert paid < 5
        assert sorted(set(bench.states().values())) == ["pending", "ready"]
        assert query(bench.database, "SELECT count(*) FROM image WHERE state = 'wanted'") == [(paid,)]

        assert (await bench.resume()).exit_code == 4  # the settings are as they were
        move_back(bench)
        await bench.resume(limit=0)
    saved = [row for row in bench.manifest() if row["state"] == "succeeded"]
    assert len(saved) >= paid
    for row in saved:
        assert_whole(bench.out, row)

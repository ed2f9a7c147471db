"""A paid result that the settings keep out of reach is not lost: its account stops, and a later run fetches it."""

import sqlite3
from contextlib import AsyncExitStack, closing

import pytest
from aiohttp import web

from orchestrator.store.operators import Selection

from .auditor import Auditor
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


async def out_of_reach(open_bench: OpenBench, stack: AsyncExitStack) -> Bench:
    """Return a bench with one job saved by its owner's other settings, and one whose paid result is out of reach."""
    bench = await open_bench("toapis", account={"prices": {"gpt-4o-image": {"per_image": "0.02"}}})
    gateway = await stack.enter_async_context(Moved(bench.simulator.url_for("toapis"), rubbish, times=0))
    bench.account = {**bench.account, "base_url": gateway.base_url}
    assert (await bench.run(rows(1))).exit_code == 4
    return bench


async def test_a_result_out_of_reach_says_why_in_the_manifest(open_bench: OpenBench) -> None:
    async with AsyncExitStack() as stack:
        bench = await out_of_reach(open_bench, stack)
        (row,) = bench.manifest()
        assert (row["state"], row["error"]["code"]) == ("ready", "unsafe_result")
        move_back(bench)
        assert (await bench.resume()).exit_code == 0
        (row,) = bench.manifest()
        assert (row["state"], row["error"]) == ("succeeded", None)


@pytest.mark.parametrize(("word", "state"), [("give_up", "failed"), ("cancel", "cancelled")])
async def test_a_result_out_of_reach_is_given_up_by_the_users_word_and_stays_in_the_books(
    open_bench: OpenBench, word: str, state: str
) -> None:
    async with AsyncExitStack() as stack:
        bench = await out_of_reach(open_bench, stack)
        async with bench.app().store() as store:
            (done,) = await getattr(store.operators, word)(Selection(keys=("job-000",)))
        assert (done.key, done.state) == ("job-000", "ready")
        assert (await bench.run()).exit_code in (0, 1)
        (row,) = bench.manifest()
        (attempt,) = row["attempts"]
        assert row["state"] == state
        assert (attempt["outcome"], attempt["charged"], attempt["cost"]) == ("lost", "yes", "0.02")
        assert query(bench.database, "SELECT state FROM image") == [("lost",)]
        auditor = Auditor(bench)
        await auditor.verify()
        assert auditor.named() == set()
        assert len(bench.accepted()) == 1


async def test_a_result_that_only_waits_for_its_download_is_nobodys_to_give_up(open_bench: OpenBench) -> None:
    async with AsyncExitStack() as stack:
        bench = await out_of_reach(open_bench, stack)
        with closing(sqlite3.connect(bench.database)) as connection, connection:
            connection.execute("UPDATE job SET error_code = NULL")
        async with bench.app().store() as store:
            assert await store.operators.give_up(Selection(keys=("job-000",))) == []
            assert await store.operators.cancel(Selection(keys=("job-000",))) == []
        assert bench.states() == {"job-000": "ready"}

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.simulator import Simulator, SimulatorOptions

from .bench import ManualClock, picture_file
from .test_uploads import upload

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenBench


async def test_a_restarted_simulator_knows_its_tasks(open_bench: OpenBench, tmp_path: Path) -> None:
    journal, clock = tmp_path / "provider.journal", ManualClock()
    before = await open_bench(journal=journal, duration=10.0, clock=clock)
    task_id = await before.task(client_business_id="job-1", n=2)
    await before.simulator.stop()
    after = await open_bench(journal=journal, duration=99.0, clock=clock)
    assert (await after.status(task_id))["status"] == "queued"
    clock.elapsed += 10
    status = await after.status("job-1")
    assert (status["id"], status["status"]) == (task_id, "completed")
    assert (await after.get(status["result"]["data"][1]["url"])).status == 200


async def test_result_urls_outlive_a_restart(open_bench: OpenBench, tmp_path: Path) -> None:
    journal = tmp_path / "provider.journal"
    before = await open_bench(journal=journal, result="url")
    url = await before.result_url(await before.task())
    other = (await (await before.generate()).json())["data"][0]["url"]
    await before.simulator.stop()
    after = await open_bench(journal=journal)
    for kept in (url, other):
        path = kept.removeprefix(before.simulator.base_url)
        assert (await after.get(path)).status == 200


async def test_new_ids_differ_from_those_before_a_restart(open_bench: OpenBench, tmp_path: Path) -> None:
    journal = tmp_path / "provider.journal"
    before = await open_bench(journal=journal)
    old = {await before.task() for _ in range(3)}
    after = await open_bench(journal=journal)
    assert not old & {await after.task() for _ in range(3)}


async def test_uploads_outlive_a_restart(open_bench: OpenBench, tmp_path: Path) -> None:
    journal, content = tmp_path / "provider.journal", picture_file()
    before = await open_bench(journal=journal)
    url = (await (await upload(before, content)).json())["data"]["url"]
    path = url.removeprefix(before.simulator.base_url)
    after = await open_bench(journal=journal)
    assert await (await after.get(path)).read() == content
    await after.order(reference_images=[after.simulator.base_url + path])
    assert after.ledger.submissions[0].references[0].kind == "upload"


async def test_a_line_torn_by_a_kill_is_cut_off(open_bench: OpenBench, tmp_path: Path) -> None:
    journal = tmp_path / "provider.journal"
    before = await open_bench(journal=journal)
    task_id = await before.task()
    with journal.open("a") as lines:
        lines.write('{"kind": "task", "id": "task_im')
    middle = await open_bench(journal=journal)
    second = await middle.task()
    after = await open_bench(journal=journal)
    for known in (task_id, second):
        assert (await after.status(known))["status"] == "completed"


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "notes.txt"
    journal.write_text('{"shopping": "milk"}\n')
    with pytest.raises(ValueError, match="journal"):
        Simulator(SimulatorOptions(journal=journal))


async def test_a_stopped_simulator_can_be_started_again_on_its_port(open_bench: OpenBench) -> None:
    bench = await open_bench()
    task_id = await bench.task()
    port = int(bench.simulator.base_url.rpartition(":")[2])
    await bench.simulator.stop()
    await bench.simulator.start(port=port)
    assert (await bench.status(task_id))["id"] == task_id

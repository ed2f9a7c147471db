from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from orchestrator.simulator import SimulatorOptions

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.simulator import Submission

    from .conftest import OpenBench


async def test_an_error_before_acceptance_is_free(open_bench: OpenBench) -> None:
    bench = await open_bench(error_rate=1.0, error_status=503)
    response = await bench.order()
    assert response.status == 503
    assert (await response.json())["error"]["code"] == "rate_limit_unavailable"
    assert [(entry.outcome, entry.charged) for entry in bench.ledger.submissions] == [("error", False)]


async def test_an_error_after_acceptance_is_charged_and_the_task_exists(open_bench: OpenBench) -> None:
    bench = await open_bench(error_after_rate=1.0)
    response = await bench.order(client_business_id="job-1")
    assert response.status == 500
    entry = bench.ledger.accepted()[0]
    assert (entry.status, entry.charged) == (500, True)
    assert (await bench.status("job-1"))["id"] == entry.task_id


@pytest.mark.parametrize("options", [{"lost_answer_rate": 1.0}, {"lose_answer_each": 1}])
async def test_a_lost_answer_is_charged_and_the_connection_drops(open_bench: OpenBench, options: dict[str, Any]) -> None:
    bench = await open_bench(**options)
    with pytest.raises(aiohttp.ClientConnectionError):
        await bench.order(client_business_id="job-1")
    entry = bench.ledger.accepted()[0]
    assert (entry.outcome, entry.status) == ("accepted", None)
    assert (await bench.status("job-1"))["status"] == "completed"


async def test_only_the_first_answers_of_each_prompt_get_lost(open_bench: OpenBench) -> None:
    bench = await open_bench(lose_answer_each=1)
    for prompt in ("one", "two"):
        with pytest.raises(aiohttp.ClientConnectionError):
            await bench.generate(prompt)
        assert (await bench.generate(prompt)).status == 200
    assert bench.ledger.charged_prompts() == {"one": 2, "two": 2}


async def test_a_blocked_prompt_at_openai_is_refused_within_the_request(open_bench: OpenBench) -> None:
    bench = await open_bench(fail_containing="poison")
    response = await bench.generate("a cup of poison")
    error = (await response.json())["error"]
    assert response.status == 400
    assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert error["moderation_details"]["moderation_stage"] == "input"
    assert not bench.ledger.accepted()


async def test_openai_says_an_empty_balance_with_429(open_bench: OpenBench) -> None:
    bench = await open_bench(quota_after=0)
    response = await bench.generate()
    assert response.status == 429
    assert (await response.json())["error"]["type"] == "insufficient_quota"
    assert bench.ledger.submissions[0].outcome == "rejected"


async def test_the_same_seed_gives_the_same_faults(open_bench: OpenBench) -> None:
    async def statuses(seed: int) -> list[int]:
        bench = await open_bench(seed=seed, error_rate=0.5)
        return [(await bench.order(f"prompt {number}")).status for number in range(20)]

    first = await statuses(3)
    assert set(first) == {200, 500}
    assert await statuses(3) == first
    assert await statuses(4) != first


async def test_the_hook_is_called_when_charged_and_before_the_answer(open_bench: OpenBench) -> None:
    bench = await open_bench(latency=5.0)
    seen: list[tuple[Submission, float]] = []
    bench.simulator.on_accepted = lambda submission: seen.append((submission, bench.clock.elapsed))
    await bench.order("a kite")
    (submission, moment) = seen[0]
    assert (submission.prompt, submission.charged) == ("a kite", True)
    assert (moment, bench.clock.elapsed) == (0.0, 5.0)


async def test_durations_differ_within_the_jitter(open_bench: OpenBench, tmp_path: Path) -> None:
    journal = tmp_path / "provider.journal"
    bench = await open_bench(duration=10.0, jitter=0.5, journal=journal)
    for number in range(20):
        await bench.order(f"prompt {number}")
    durations = {json.loads(line)["duration"] for line in journal.read_text().splitlines()}
    assert all(5.0 <= duration <= 15.0 for duration in durations)
    assert len(durations) == 20


@pytest.mark.parametrize(
    "options",
    [{"error_rate": 1.5}, {"duration": -1.0}, {"progress_words": ()}, {"result_places": ("nowhere",)}, {"rpm": 0.0}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SimulatorOptions(**options)


def test_the_options_never_show_the_key() -> None:
    assert "secret" not in repr(SimulatorOptions(key="secret"))

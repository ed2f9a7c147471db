"""Doubtful jobs that are paid again by the policy of their account: late enough, and never above what it allows."""

import asyncio

import pytest

from tests.clocks import JumpingClock

from .bench import assert_all_whole, rows
from .conftest import OpenBench

BOTH = ["toapis", "openai-images"]


RESUBMIT = {
    "uncertain": "resubmit",
    "max_double_cost": "10",
    "uncertain_grace": "2m",
    "timeouts": {"submit_task": "1m", "submit_synchronous": "1m"},
    "prices": {"gpt-4o-image": {"per_image": "0.02"}, "gpt-image-2": {"per_image": "0.05"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("provider", BOTH)
async def test_resubmit_pays_again_once_no_answer_can_come_any_more(
    open_bench: OpenBench, clock: JumpingClock, provider: str
) -> None:
    bench = await open_bench(provider, lose_answer_each=1, lookup=False, account=RESUBMIT)
    started = clock.now()
    assert (await bench.run(rows(2))).exit_code == 0
    assert set(bench.simulator.ledger.charged_prompts().values()) == {2}
    again = [submission.at - started for submission in bench.accepted()[2:]]
    assert all(60 + 120 <= waited < 60 + 125 for waited in again)
    assert bench.attempts() == [("abandoned", "possible")] * 2 + [("delivered", "yes")] * 2
    assert_all_whole(bench)


@pytest.mark.slow
async def test_resubmit_stops_at_what_may_be_paid_twice_and_holds_the_rest(open_bench: OpenBench) -> None:
    bench = await open_bench("openai-images", lose_answer_each=1, account={**RESUBMIT, "max_double_cost": "0.10"})
    assert (await bench.run(rows(5))).exit_code == 5
    assert sorted(bench.states().values()) == ["succeeded"] * 2 + ["uncertain"] * 3
    assert len(bench.accepted()) == 5 + 2
    assert "would be $0.1500, and max_double_cost is $0.10" in bench.named("job_held")[0].facts["reason"]
    settings = bench.folder / "orchestrator.toml"
    settings.write_text('[accounts.studio]\nmax_double_cost = "10"\n')
    assert (await bench.resume(config=settings)).exit_code == 0


@pytest.mark.slow
async def test_resubmit_does_not_pay_again_for_what_nobody_knows_the_price_of(open_bench: OpenBench) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False, account={**RESUBMIT, "prices": {}})
    assert (await bench.run(rows(1))).exit_code == 5
    assert len(bench.accepted()) == 1
    assert "nobody knows what it costs" in bench.named("job_held")[0].facts["reason"]


async def test_resubmit_never_pays_again_for_a_task_that_is_known_even_when_its_provider_forgets_it(
    open_bench: OpenBench,
) -> None:
    bench = await open_bench("toapis", duration=100_000, account={**RESUBMIT, "task_deadline": "30s"})
    assert (await bench.run(rows(1))).exit_code == 5
    assert bench.states() == {"job-000": "uncertain"}
    bench.simulator._gate._tasks._tasks.clear()
    assert (await bench.resume()).exit_code == 5
    assert len(bench.accepted()) == 1


@pytest.mark.slow
async def test_a_task_that_appears_before_the_grace_is_over_is_adopted_and_not_paid_again(
    open_bench: OpenBench, clock: JumpingClock
) -> None:
    bench = await open_bench("toapis", lose_answer_each=1, lookup=False, account=RESUBMIT)

    async def appear() -> None:
        await clock.sleep(100)
        object.__setattr__(bench.simulator.options, "lookup", True)

    appearing = asyncio.create_task(appear())
    assert (await bench.run(rows(1))).exit_code == 0
    await appearing
    assert len(bench.accepted()) == 1

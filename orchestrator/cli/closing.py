"""The closing words of a run: what became of every job, what it cost, and the exact command for what is left to do."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.app import App, Finished
from orchestrator.cli.again import Again
from orchestrator.cli.budget_words import budget_reached
from orchestrator.cli.event_words import spent, stake
from orchestrator.cli.words import brief, counted, harmless, state_counts
from orchestrator.engine.ending import Ending
from orchestrator.jobs.lifecycle import AT_REST, State
from orchestrator.store.operators import Selection
from orchestrator.store.reading import Overview

_MOST_LOOKED_AT = 1000
"""Jobs in trouble that are read for a summary; more are named by their number alone."""
_MOST_CODES = 8


async def closing_words(app: App, finished: Finished, again: Again, *, quiet: bool) -> list[str]:
    """Return the lines that end a run."""
    if finished.outcome.ending is Ending.ABORTED:
        return [f"stopped at once; what was in flight is looked into by: {again.line('resume')}"]
    if not finished.overviews:
        return ["nothing to resume: every batch is over"]
    lines: list[str] = []
    for overview, manifest in zip(finished.overviews, finished.manifests, strict=True):
        lines.append(_head(overview, manifest))
        if not quiet or finished.exit_code:
            lines += await _body(app, overview, again)
            lines.append(_row("manifest", harmless(str(manifest))))
    return [*lines, *_ending(finished, again)]


def _head(overview: Overview, manifest: Path) -> str:
    images = f"{overview.images_saved} of {counted(overview.images_asked, 'image')} saved in {harmless(str(manifest.parent))}"
    return f"{harmless(overview.batch.name)}: {state_counts(overview.states) or 'no jobs'}; {images}"


async def _body(app: App, overview: Overview, again: Again) -> list[str]:
    lines = [_row("cost", _cost(overview))]
    if overview.partial:
        lines.append(_row("partial", f"{counted(overview.partial, 'job')} with fewer images than asked for"))
    if overview.degraded:
        not_as_asked = counted(overview.degraded, "image")
        lines.append(_row("degraded", f"{not_as_asked} not as asked for: kept, and told of in the manifest"))
    if overview.gone:
        lines.append(_row("gone", f"{counted(overview.gone, 'job')} no longer in the file: kept in the store, not sent"))
    failed = overview.states.get(State.FAILED, 0) + overview.states.get(State.EXPIRED, 0)
    if failed:
        lines += _failed(await _some(app, overview, State.FAILED, State.EXPIRED), failed, overview.batch.name, again)
    if overview.states.get(State.READY):
        rows = await _some(app, overview, State.READY)
        lines += _out_of_reach([row for row in rows if row["error_code"]], overview.batch.name, again)
    if overview.states.get(State.UNCERTAIN):
        lines += _uncertain(await _some(app, overview, State.UNCERTAIN), overview, again)
    return lines


def _cost(overview: Overview) -> str:
    paid = spent(overview.spent, overview.unknown_costs)
    if not overview.at_stake and not overview.unpriced_at_stake:
        return paid
    return f"{paid}; perhaps paid besides: {stake(overview.at_stake, overview.unpriced_at_stake)}"


async def _some(app: App, overview: Overview, *states: State) -> list[dict[str, Any]]:
    return await app.jobs(Selection(batch_id=overview.batch.id, states=states), _MOST_LOOKED_AT)


def _failed(rows: Sequence[dict[str, Any]], total: int, batch: str, again: Again) -> Iterator[str]:
    label = "failed"
    for code, jobs in _by(rows, "error_code")[:_MOST_CODES]:
        example = f"{harmless(jobs[0]['key'])}: {brief(jobs[0]['error_message'] or 'no message')}"
        yield _row(label, f"{len(jobs)} {code}, e.g. {example}")
        label = ""
    if total > len(rows):
        yield _row("", f"(of the first {len(rows)}; {total} in all)")
    yield _row("", f"again, as new paid requests: {again.line('retry', '--all', '--batch', batch)}")


def _out_of_reach(rows: Sequence[dict[str, Any]], batch: str, again: Again) -> Iterator[str]:
    if rows:
        example = f"{harmless(rows[0]['key'])}: {brief(rows[0]['error_message'] or 'no message')}"
        yield _row("held", f"{counted(len(rows), 'job')} paid, with a result out of reach, e.g. {example}")
        yield _row("", f"fetch after a change of settings: {again.line('resume', batch)}")
        yield _row("", f"give up what was paid: {again.line('resolve', rows[0]['key'], '--batch', batch, '--give-up')}")


def _uncertain(rows: Sequence[dict[str, Any]], overview: Overview, again: Again) -> Iterator[str]:
    number = overview.states[State.UNCERTAIN]
    causes = ", ".join(f"{len(jobs)} {code}" for code, jobs in _by(rows, "reason"))
    worst = _worst(rows) if len(rows) == number else _cost(overview)
    yield _row("uncertain", f"{counted(number, 'job')} perhaps paid, without a result: {causes}; {worst}")
    name = overview.batch.name
    yield _row("", f"look at them      {again.line('jobs', name, '--state', 'uncertain')}")
    for meaning, choice in (("pay again", "--resubmit"), ("were not charged", "--not-charged"), ("let them fail", "--give-up")):
        yield _row("", f"{meaning:<17} {again.line('resolve', '--all', '--batch', name, choice)}")


def _worst(rows: Sequence[dict[str, Any]]) -> str:
    prices = [row["cost_reserved"] for row in rows]
    return stake(sum((price for price in prices if price is not None), Decimal(0)), prices.count(None))


def _ending(finished: Finished, again: Again) -> Iterator[str]:
    for account, failure in finished.outcome.paused.items():
        yield _row("paused", f"{harmless(account)}: {failure.code}: {brief(failure.message)}")
    if finished.outcome.halted:
        yield _row("halted", brief(finished.outcome.halted))
    for each in finished.reached:
        yield _row("budget", budget_reached(each, again))
    names = [overview.batch.name for overview in finished.overviews]
    line = again.line("resume", *names) if len(names) == 1 else again.line("resume")
    if finished.outcome.ending is Ending.DRAINED and finished.followed:
        yield "no longer followed; the engine at work goes on with it"
    elif finished.outcome.ending is Ending.DRAINED:
        yield f"stopped in order; go on with: {line}"
    elif finished.outcome.ending is Ending.PAUSED and (finished.outcome.paused or finished.outcome.halted):
        yield f"paused; when the cause is gone: {line}"
    elif waiting := sum(jobs for each in finished.overviews for state, jobs in each.states.items() if state not in AT_REST):
        yield f"{counted(waiting, 'job')} left to do: {line}"


def _by(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return rows in groups of one value, the largest first."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row[name] or "unknown")].append(row)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _row(label: str, text: str) -> str:
    return f"  {label:<10} {text}"

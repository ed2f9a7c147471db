"""The engine's tools, built from real things."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from enum import StrEnum

from orchestrator.app import descriptors
from orchestrator.app.setup import CannotStart, Setup, make_private_folder
from orchestrator.config import keys_of
from orchestrator.engine.board import Board
from orchestrator.engine.brake import Brake
from orchestrator.engine.budget import Budget
from orchestrator.engine.callback_paths import NOT_CALLED, CallbackPaths
from orchestrator.engine.desk import Desk, desk_of
from orchestrator.engine.news import Listener, News
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.queue import Scope
from orchestrator.engine.stirring import Stirring
from orchestrator.engine.tools import AT_ONCE, Tools
from orchestrator.jobs.accounts import SIMULATOR, AccountSettings
from orchestrator.jobs.places import BadInput, Problem, Severity
from orchestrator.jobs.recent import WINDOW
from orchestrator.jobs.secrets import Redactor, Secret
from orchestrator.providers.base import Shape
from orchestrator.results import DecodePool, References, Results, Spool
from orchestrator.simulator import Simulator, SimulatorOptions
from orchestrator.store.accounts import AccountRow
from orchestrator.store.store import Store
from orchestrator.store.transitions import Transitions
from orchestrator.transport.client import Transport
from orchestrator.transport.files import Files


class Pauses(StrEnum):
    """What becomes of the pauses of accounts."""

    LIFTED = "lifted"
    """The user begins a run, and says so by that."""
    KEPT = "kept"
    IGNORED = "ignored"
    """They stay, and do not matter: nothing is ordered."""


async def assemble(  # noqa: PLR0913 - what a run is put together from
    setup: Setup,
    stack: AsyncExitStack,
    store: Store,
    pool: DecodePool,
    scope: Scope,
    board: Board,
    listeners: Sequence[Listener],
    *,
    pauses: Pauses = Pauses.LIFTED,
    callback_paths: CallbackPaths = NOT_CALLED,
) -> Tools:
    """Return the tools for work over `scope`; `stack` ends what has to be ended. Raises `BadInput` when a key is missing."""
    used = await store.accounts_of(scope.batches)
    rows = {name: row for name, row in (await store.accounts()).items() if name in used}
    room = _room(setup, rows)
    keys = _keys(setup, rows)
    spool = Spool(setup.spool_folder)
    results = Results(setup.out, spool, pool)
    stack.push_async_callback(results.close)
    if pauses is Pauses.LIFTED:
        for name in rows:
            await store.lift_pause(name)
    desks = await _desks(setup, stack, store, rows if room is None else _within(room, rows))
    if pauses is Pauses.KEPT:
        for name, row in rows.items():
            desks[name].paused = row.pause
    pulse = Pulse(setup.clock)
    redact = Redactor(keys.values())
    stirring = Stirring(board)
    transitions = store.transitions("engine", stirring.step, redact)
    budget = await _budget(setup, store, transitions, scope, rows)
    news = News(setup.clock, redact, board.hear, budget.hear, *listeners)
    return Tools(
        clock=setup.clock,
        random=setup.random,
        store=store,
        transitions=transitions,
        budget=budget,
        transport=await stack.enter_async_context(Transport(keys, redact)),
        files=await stack.enter_async_context(Files(setup.clock)),
        results=results,
        references=References(setup.reference_folder, pool),
        spool=spool,
        providers=setup.registry,
        desks=desks,
        news=news,
        pulse=pulse,
        stirring=stirring,
        brake=Brake(desks, news, pulse),
        out=setup.out,
        redact=redact,
        callback_paths=callback_paths,
        at_once=AT_ONCE if room is None else min(room, AT_ONCE),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


def _room(setup: Setup, rows: Mapping[str, AccountRow]) -> int | None:
    """Return how many requests of each kind this process has files for, None without a limit; a warning says when it is few."""
    files = descriptors.allowed()
    if files is None:
        return None
    try:
        room = descriptors.at_once(files, simulated=any(row.settings.base_url == SIMULATOR for row in rows.values()))
    except descriptors.TooFewFiles as error:
        raise CannotStart(str(error)) from None
    wanted = sum(row.settings.concurrency for row in rows.values())
    if room < wanted:
        setup.problems.add(
            f"this process may open {files} files: no more than {max(room, len(rows))} of its paid requests are in flight "
            f"at a time, instead of {wanted}; `ulimit -n {descriptors.WANTED}` allows more",
            severity=Severity.WARNING,
        )
    return room


def _within(room: int, rows: Mapping[str, AccountRow]) -> dict[str, AccountRow]:
    """Return the accounts with as many slots as there are files for."""
    slots = descriptors.shared({name: row.settings.concurrency for name, row in rows.items()}, room)
    return {name: replace(row, settings=replace(row.settings, concurrency=slots[name])) for name, row in rows.items()}


def _keys(setup: Setup, rows: Mapping[str, AccountRow]) -> dict[str, Secret]:
    """Return the keys of the accounts in use; `run` has checked them, `resume` checks them here."""
    keys = keys_of({name: row.settings for name, row in rows.items()}, setup.problems)
    setup.problems.raise_if_any()
    return keys


async def _budget(setup: Setup, store: Store, transitions: Transitions, scope: Scope, rows: Mapping[str, AccountRow]) -> Budget:
    batches = [batch.id for batch in await store.batches() if batch.id in scope.batches and batch.budget is not None]
    accounts = [name for name, row in rows.items() if row.settings.budget_per_day is not None]
    return Budget(transitions, setup.clock, batches, accounts)


async def _desks(setup: Setup, stack: AsyncExitStack, store: Store, rows: Mapping[str, AccountRow]) -> dict[str, Desk]:
    """Return the accounts at work."""
    desks = {}
    for name, row in rows.items():
        has_tasks = setup.registry.shape(row.settings.provider, row.settings.options) is Shape.TASK
        desks[name] = desk_of(row, setup.clock, setup.random, has_tasks=has_tasks)
        desks[name].limiter.remember(await store.recently_sent(name, since=setup.clock.now() - WINDOW))
    for settings in await at_work(setup, stack, [desk.settings for desk in desks.values()]):
        desks[settings.name].settings = settings
    return desks


async def at_work(setup: Setup, stack: AsyncExitStack, accounts: Sequence[AccountSettings]) -> list[AccountSettings]:
    """Return accounts with addresses that can be asked: for those at `simulator`, of one in this process."""
    if all(account.base_url != SIMULATOR for account in accounts):
        return list(accounts)
    simulator = await stack.enter_async_context(Simulator(_rehearsal(setup)))
    return [
        replace(account, base_url=_address(simulator, account.provider)) if account.base_url == SIMULATOR else account
        for account in accounts
    ]


def _address(simulator: Simulator, provider: str) -> str:
    try:
        return simulator.url_for(provider)
    except (KeyError, ValueError):
        raise BadInput([Problem(message=f"the simulator does not speak {provider}; give its account a real base_url")]) from None


def _rehearsal(setup: Setup) -> SimulatorOptions:
    """Return the built-in simulator's options: its tasks stand in a journal, so that an interrupted rehearsal resumes, too."""
    folder = setup.database.with_name(f"{setup.database.stem}.simulator")
    make_private_folder(folder)
    return SimulatorOptions(journal=folder / "journal.jsonl", duration=1.0, jitter=0.5)

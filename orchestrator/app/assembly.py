"""The engine's tools, built from real things."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from orchestrator.app.setup import Setup, make_private_folder
from orchestrator.config import keys_of
from orchestrator.engine.board import Board
from orchestrator.engine.desk import Desk, desk_of
from orchestrator.engine.news import Listener, News
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.queue import Scope
from orchestrator.engine.tools import Tools
from orchestrator.jobs.accounts import SIMULATOR
from orchestrator.jobs.places import BadInput, Problem
from orchestrator.jobs.secrets import Redactor, Secret
from orchestrator.providers.base import Shape
from orchestrator.results import DecodePool, Results, Spool
from orchestrator.simulator import Simulator, SimulatorOptions
from orchestrator.store.accounts import AccountRow
from orchestrator.store.store import Store
from orchestrator.transport.client import Transport
from orchestrator.transport.files import Files


async def assemble(
    setup: Setup, stack: AsyncExitStack, store: Store, pool: DecodePool, scope: Scope, board: Board, listeners: Sequence[Listener]
) -> Tools:
    """Return the tools for a run over `scope`; `stack` ends what has to be ended. Raises `BadInput` when a key is missing."""
    used = await store.accounts_of(scope.batches)
    rows = {name: row for name, row in (await store.accounts()).items() if name in used}
    keys = _keys(setup, rows)
    spool = Spool(setup.spool_folder)
    results = Results(setup.out, spool, pool)
    stack.push_async_callback(results.close)
    desks = await _desks(setup, stack, store, rows)
    pulse = Pulse(setup.clock)
    redact = Redactor(keys.values())
    return Tools(
        clock=setup.clock,
        random=setup.random,
        store=store,
        transitions=store.transitions("engine", board.step, redact),
        transport=await stack.enter_async_context(Transport(keys, redact)),
        files=await stack.enter_async_context(Files(setup.clock)),
        results=results,
        spool=spool,
        providers=setup.registry,
        desks=desks,
        news=News(setup.clock, redact, board.hear, *listeners),
        pulse=pulse,
        out=setup.out,
        redact=redact,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


def _keys(setup: Setup, rows: Mapping[str, AccountRow]) -> dict[str, Secret]:
    """Return the keys of the accounts in use; `run` has checked them, `resume` checks them here."""
    keys = keys_of({name: row.settings for name, row in rows.items()}, setup.problems)
    setup.problems.raise_if_any()
    return keys


async def _desks(setup: Setup, stack: AsyncExitStack, store: Store, rows: Mapping[str, AccountRow]) -> dict[str, Desk]:
    """Return the accounts at work; those at `simulator` get one in this process."""
    desks = {}
    for name, row in rows.items():
        has_tasks = setup.registry.shape(row.settings.provider) is Shape.TASK
        desks[name] = desk_of(row, setup.clock, setup.random, has_tasks=has_tasks)
        await store.lift_pause(name)
    simulated = [desk for desk in desks.values() if desk.settings.base_url == SIMULATOR]
    if simulated:
        simulator = await stack.enter_async_context(Simulator(_rehearsal(setup)))
        for desk in simulated:
            desk.settings = replace(desk.settings, base_url=_address(simulator, desk.settings.provider))
    return desks


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

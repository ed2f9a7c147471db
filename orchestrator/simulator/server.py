"""The running simulator: all providers on one port, and a window into the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.callbacks import Callbacks
from orchestrator.simulator.chat import Chat
from orchestrator.simulator.clock import RealClock
from orchestrator.simulator.faults import Chance, Faults
from orchestrator.simulator.gate import Gate
from orchestrator.simulator.journal import Journal
from orchestrator.simulator.ledger import Ledger
from orchestrator.simulator.openai_files import OpenAiFiles
from orchestrator.simulator.openai_images import OpenAiEdits, OpenAiGenerations
from orchestrator.simulator.openai_responses import OpenAiResponses
from orchestrator.simulator.relay import RelayEdits, RelayGenerations
from orchestrator.simulator.relay_tasks import RelayTasks
from orchestrator.simulator.results import ResultFiles
from orchestrator.simulator.tasks import TaskBook
from orchestrator.simulator.toapis import ToApis
from orchestrator.simulator.ttapi import IDS as TTAPI_IDS
from orchestrator.simulator.ttapi import TtapiDallE3, TtapiEdits, TtapiGenerations
from orchestrator.simulator.ttapi_4o import TtapiJobs, TtapiNewerJobs
from orchestrator.simulator.uploads import Uploads
from orchestrator.simulator.variations import OpenAiVariations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.gate import Api
    from orchestrator.simulator.ledger import Submission
    from orchestrator.simulator.options import SimulatorOptions

__all__ = ["PREFIXES", "Simulator", "serve"]

PREFIXES = {
    "toapis": "/toapis",
    **dict.fromkeys(("openai", "openai-images", "openai-edits", "openai-variations", "openai-responses"), "/openai"),
    **dict.fromkeys(TTAPI_IDS, "/ttapi"),
    "gpt-image-2": "/gpt-image-2",
    "chat": "/chat",
}
"""Where each provider id lives on its own; providers that share a prefix are one API."""
LARGEST_BODY = 900 * 1024 * 1024
"""Bytes: sixteen pictures of 50 MB, the most an edit may carry, and some room."""
STOP_PATIENCE = 0.1
"""Seconds given to answers under way when the simulator stops; a provider that goes down does not wait."""


class Simulator:
    """One simulated provider site on 127.0.0.1 (or elsewhere), started and stopped at will.

    Raises ValueError for an unknown `options.provider` or a journal that is none.
    """

    def __init__(self, options: SimulatorOptions, clock: Clock | None = None) -> None:
        if options.provider not in PREFIXES:
            raise ValueError(f"provider must be one of {', '.join(PREFIXES)}, not {options.provider}.")
        self.options = options
        self.ledger = Ledger()
        self.base_url = ""
        self._clock = clock or RealClock()
        self._chance = Chance(options.seed)
        self._faults = Faults(options, self._chance)
        self._journal = Journal(options.journal)
        self._build()

    def _build(self) -> None:
        """Join the parts; nothing listens yet."""
        options, clock, chance, ledger = self.options, self._clock, self._chance, self.ledger
        tasks = TaskBook(self._journal, chance.stream("task id"))
        results = ResultFiles(options=options, clock=clock, chance=chance, ledger=ledger, tasks=tasks)
        self._gate = gate = Gate(options=options, clock=clock, chance=chance, faults=self._faults, ledger=ledger, tasks=tasks)
        gate.callbacks = self._callbacks = Callbacks(options, clock, chance, ledger)
        uploads = Uploads(options=options, clock=clock, chance=chance, ledger=ledger, journal=self._journal)
        toapis = ToApis(options=options, clock=clock, ledger=ledger, gate=gate, tasks=tasks, results=results, uploads=uploads)
        generations, variations = (
            kind(options=options, clock=clock, gate=gate, results=results, identifiers=chance.stream("request id"))
            for kind in (OpenAiGenerations, OpenAiVariations)
        )
        files = OpenAiFiles(
            options=options, clock=clock, chance=chance, ledger=ledger, journal=self._journal, gate=gate, errors=generations
        )
        edits = OpenAiEdits(
            options=options,
            clock=clock,
            gate=gate,
            results=results,
            identifiers=chance.stream("request id"),
            find_file=files.find,
        )
        responses = OpenAiResponses(
            options=options,
            clock=clock,
            gate=gate,
            results=results,
            identifiers=chance.stream("request id"),
            ledger=ledger,
            tasks=tasks,
            files=files,
        )
        ttapi: list[Api] = [
            *(
                sold(options=options, clock=clock, gate=gate, results=results, identifiers=chance.stream("request id"))
                for sold in (TtapiGenerations, TtapiEdits, TtapiDallE3)
            ),
            *(
                jobs(options=options, clock=clock, ledger=ledger, gate=gate, tasks=tasks, results=results)
                for jobs in (TtapiJobs, TtapiNewerJobs)
            ),
        ]
        relay, chat = (
            [
                kind(options=options, clock=clock, gate=gate, results=results, identifiers=chance.stream("request id"))
                for kind in kinds
            ]
            for kinds in ((RelayGenerations, RelayEdits), (Chat,))
        )
        self._apis: dict[str, list[Api | RelayTasks]] = {
            "/toapis": [toapis],
            "/openai": [generations, edits, variations, responses],
            "/ttapi": [*ttapi],
            "/gpt-image-2": [*relay],
            "/chat": [*chat],
        }
        if options.answers_with_task is not None:
            gate.relay_tasks = RelayTasks(options=options, clock=clock, ledger=ledger, tasks=tasks, results=results)
            for prefix in ("/openai", "/gpt-image-2", "/chat"):
                self._apis[prefix].append(gate.relay_tasks)
        self._shared_routes = [*results.routes(), *uploads.routes()]

    @property
    def on_accepted(self) -> Callable[[Submission], None] | None:
        """Called the moment a submission is charged, before its answer is written."""
        return self._gate.on_accepted

    @on_accepted.setter
    def on_accepted(self, hook: Callable[[Submission], None] | None) -> None:
        self._gate.on_accepted = hook

    def url_for(self, provider: str) -> str:
        """The base URL under which one provider is served alone; KeyError for one that is not simulated."""
        return self.base_url + PREFIXES[provider]

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError when the address is taken."""
        application = web.Application(client_max_size=LARGEST_BODY)
        application.add_routes(self._routes())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_PATIENCE)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        name = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{name}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection; what was accepted stays known to a later start."""
        await self._callbacks.stop()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _routes(self) -> list[web.RouteDef]:
        """All paths; on unprefixed ones the chosen provider comes first and keeps what it takes."""
        chosen = PREFIXES[self.options.provider]
        order = sorted(self._apis, key=lambda prefix: prefix != chosen)
        unprefixed = [route for prefix in order for api in self._apis[prefix] for route in api.routes("")]
        prefixed = [route for prefix in order for api in self._apis[prefix] for route in api.routes(prefix)]
        control = [
            web.get("/_simulator/ledger", self._show_ledger),
            web.post("/_simulator/reset", self._reset),
        ]
        return _first_of_each([*unprefixed, *prefixed, *self._shared_routes, *control])

    async def _show_ledger(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return json_answer({"error": "since must be a submission's number."}, status=400)
        return json_answer(self.ledger.as_json(since=int(since)))

    async def _reset(self, request: web.Request) -> web.Response:  # noqa: ARG002 -- nothing to read in it
        """Forget what happened and begin the faults anew; tasks and uploads stay known."""
        self.ledger.clear()
        self._faults.restart()
        self._gate.restart()
        return json_answer({"reset": True})


def _first_of_each(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    known: dict[tuple[str, str], web.RouteDef] = {}
    for route in routes:
        known.setdefault((route.method, route.path), route)
    return list(known.values())


async def serve(options: SimulatorOptions, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Run until cancelled; `announce` is told the base URL once requests are answered."""
    simulator = Simulator(options)
    await simulator.start(host, port)
    try:
        announce(simulator.base_url)
        await asyncio.Event().wait()
    finally:
        await simulator.stop()

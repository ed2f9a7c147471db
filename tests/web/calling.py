"""The whole program with a provider that calls back: batch files, runs, and what the simulator's books say afterwards."""

import json
import socket
from collections import Counter
from typing import Any

from orchestrator.app import Finished
from orchestrator.simulator.callbacks import NAMED_IN_A_CALL
from tests.engine.bench import Bench, Row

SECRET = "0123456789abcdef0123456789abcdef"
MODELS = {"toapis": "gpt-4o-image", "ttapi-4o": "gpt-4o-image", "openai-responses": "gpt-image-2"}


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def jobs(count: int, **fields: Any) -> list[Row]:
    return [{"id": f"job-{number:03}", "prompt": f"draw kite number {number}", **fields} for number in range(count)]


def write(bench: Bench, rows: list[Row]) -> None:
    settings = {"provider": bench.provider, "base_url": bench.simulator.url_for(bench.provider), **bench.account}
    defaults = {"account": "studio", "model": MODELS[bench.provider]}
    batch = {"batch": "spring", "accounts": {"studio": settings}, "defaults": defaults, "jobs": rows}
    bench.file.write_text(json.dumps(batch), encoding="utf-8")


async def run(bench: Bench, rows: list[Row] | None = None, *, port: int | None = None, **options: Any) -> Finished:
    """Run with a receiver at a port of this machine, which is also where the provider calls."""
    if rows is not None:
        write(bench, rows)
    port = port or free_port()
    reached = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    return await bench.run(**(reached | options))


def assert_no_call_was_believed(bench: Bench) -> None:
    paths = [download.path for download in bench.simulator.ledger.downloads]
    assert not any(NAMED_IN_A_CALL.rpartition("/")[2] in path for path in paths)


def assert_paid_once(bench: Bench) -> None:
    assert set(bench.simulator.ledger.charged_prompts().values()) <= {1}


def fetches(bench: Bench) -> Counter[str]:
    """Return how often each task was asked for."""
    return Counter(poll.task_id for poll in bench.simulator.ledger.polls)

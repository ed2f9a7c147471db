"""The simulator, in this process or as a server."""

from collections.abc import Callable
from typing import Any

from orchestrator.simulator import SimulatorOptions, serve


async def simulate(*, provider: str, host: str, port: int, announce: Callable[[str], None], **options: Any) -> None:  # noqa: ANN401
    """Run the simulator as a server until cancelled; raise `ValueError` for an option that is wrong."""
    await serve(SimulatorOptions(provider=provider, **options), host, port, announce)

"""`simulate`: the simulator as a server."""

import asyncio
import errno
import signal
from contextlib import suppress
from dataclasses import asdict

from orchestrator import app
from orchestrator.cli.options import Voice
from orchestrator.cli.outcome import Refused
from orchestrator.cli.simulator_options import Behaviour


async def simulate(provider: str, host: str, port: int, behaviour: Behaviour, voice: Voice) -> int:
    """Serve until a signal comes, which is its ordinary end."""
    said = {name: value for name, value in asdict(behaviour).items() if value is not None}

    def announce(url: str) -> None:
        print(url if voice.quiet else f"simulating {provider} at {url}; Ctrl-C stops it", flush=True)

    serving = asyncio.ensure_future(app.simulate(provider=provider, host=host, port=port, announce=announce, **said))
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, serving.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await serving
    except ValueError as error:
        raise Refused(str(error).rstrip(".")) from error
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise app.CannotStart(f"cannot listen on {host}:{port}: {why}") from error
    return 0

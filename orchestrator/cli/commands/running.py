"""What works through batches or answers calls, until it is over or somebody stops it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from orchestrator.cli.options import ALL_OF_IT, ALOUD, AS_IT_IS, HERE, UNREACHED, InPlace, Paced, Reached, ReadAs, Switch, Voiced
from orchestrator.cli.simulator_options import QUICK_AND_HEALTHY, Behaviour


async def run(
    file: Path,
    /,
    *,
    sent: ReadAs = AS_IT_IS,
    pace: Paced = ALL_OF_IT,
    reach: Reached = UNREACHED,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Check a batch file, store it, and work until every job is over. Safe to repeat: it goes on, and pays nothing twice.

    Parameters
    ----------
    file
        The batch: YAML, CSV or JSONL.
    """
    from orchestrator.cli.work import run_file  # noqa: PLC0415

    return await run_file(file, where, voice, sent, pace, reach)


async def resume(
    batch: str | None = None,
    /,
    *,
    pace: Paced = ALL_OF_IT,
    reach: Reached = UNREACHED,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Go on with what is in the store; the file is not needed.

    Parameters
    ----------
    batch
        The batch to go on with; all unfinished ones without a name.
    """
    from orchestrator.cli import work  # noqa: PLC0415

    return await work.resume(batch, where, voice, pace, reach)


async def serve(
    *,
    no_work: Annotated[bool, Switch] = False,
    reach: Reached = UNREACHED,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Receive the calls of APIs and show figures at /metrics until Ctrl-C, with the engine at work beside it.

    Parameters
    ----------
    no_work
        Only receive and show; `run` and `resume` work in processes of their own, with --listen none.
    """
    from orchestrator.cli import serving  # noqa: PLC0415

    return await serving.serve(where, voice, reach, no_work=no_work)


async def simulate(
    *,
    provider: str = "toapis",
    host: str = "127.0.0.1",
    port: int = 9000,
    behaviour: Annotated[Behaviour, Parameter(name="*", group=Group("How it behaves"))] = QUICK_AND_HEALTHY,
    voice: Voiced = ALOUD,
) -> int:
    """Serve a provider's wire format with real images, without any cost, until Ctrl-C.

    Parameters
    ----------
    provider
        Whose API answers: any adapter or family that `providers` shows.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    """
    from orchestrator.cli import simulating  # noqa: PLC0415

    return await simulating.simulate(provider, host, port, behaviour, voice)

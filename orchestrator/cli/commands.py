"""The commands and their help. Each imports its work when it is called, so that `--help` answers at once."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from orchestrator import __version__
from orchestrator.cli.options import (
    ALL_OF_IT,
    ALOUD,
    AS_IT_IS,
    HERE,
    UNREACHED,
    Budget,
    Code,
    InPlace,
    Paced,
    Positive,
    Reached,
    ReadAs,
    States,
    Switch,
    Voiced,
    amount,
)
from orchestrator.cli.simulator_options import QUICK_AND_HEALTHY, Behaviour

_ABOUT = Group("About the program", sort_key=9)
_JOBS = Group("Commands", sort_key=1)

program = App(
    name="orchestrator",
    help="Orders images from AI APIs in bulk: never loses a paid result in silence, never pays twice without being told to.",
    help_epilogue="Keys come from the environment only, e.g. OPENAI_API_KEY. `orchestrator COMMAND --help` says more.",
    help_format="plaintext",
    version=f"orchestrator {__version__}",
    group_commands=_JOBS,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    verbose=False,
)
program["--help"].group = program["--version"].group = (_ABOUT,)


@program.command(sort_key=1)
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


@program.command(sort_key=2)
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


@program.command(sort_key=3)
async def export(
    batch: str | None = None,
    /,
    *,
    form: Annotated[Literal["jsonl", "json", "csv"], Parameter(name="--format")] = "jsonl",
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Write the manifest: what was asked, what came, what it cost, what failed and why.

    Parameters
    ----------
    batch
        Which batch; the only one by default.
    form
        jsonl and json hold everything; csv has one row per image.
    output
        File to write, whole or not at all; standard output without it.
    """
    from orchestrator.cli import exporting  # noqa: PLC0415

    return await exporting.export(batch, form, output, where, voice)


@program.command(sort_key=4)
async def validate(file: Path, /, *, sent: ReadAs = AS_IT_IS, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Check a batch file: every problem at once, or what it asks for. Stores and sends nothing.

    Parameters
    ----------
    file
        The batch: YAML, CSV or JSONL.
    """
    from orchestrator.cli import checking  # noqa: PLC0415

    return await checking.validate(file, where, voice, sent)


@program.command(sort_key=4)
async def plan(
    file: Path,
    /,
    *,
    check: Annotated[bool, Switch] = False,
    budget: Budget = None,
    sent: ReadAs = AS_IT_IS,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Say what a run would send, what it may cost, what is done already, and how far the budget reaches. Sends nothing.

    Parameters
    ----------
    file
        The batch: YAML, CSV or JSONL.
    check
        Only check the file, as `validate` does.
    budget
        USD that the batch might cost at worst, to see how far they reach.
    """
    from orchestrator.cli import checking, planning  # noqa: PLC0415

    if check:
        return await checking.validate(file, where, voice, sent)
    return await planning.plan(file, budget, where, voice, sent)


@program.command(sort_key=5)
async def status(batch: str | None = None, /, *, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Show how batches stand: jobs per state, images, money, deadlines.

    Parameters
    ----------
    batch
        Which batch; all of them without a name.
    """
    from orchestrator.cli import standing  # noqa: PLC0415

    return await standing.status(batch, where, voice)


@program.command(sort_key=6)
async def jobs(
    batch: str | None = None,
    /,
    *,
    state: States = (),
    error: Code = None,
    key: str | None = None,
    limit: Positive = 100,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """List jobs in file order.

    Parameters
    ----------
    batch
        Which batch; all of them without a name.
    state
        Only jobs in this state, e.g. failed; may be given several times.
    error
        Only jobs that failed, or are uncertain, with this error code.
    key
        Only jobs whose key matches this pattern, e.g. 'mug-*'.
    limit
        Show at most this many.
    """
    from orchestrator.cli import listing  # noqa: PLC0415

    return await listing.jobs(listing.Filter(batch=batch, states=state, code=error, key=key, limit=limit), where, voice)


@program.command(sort_key=7)
async def show(job: str, /, *, batch: str | None = None, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Show one job's whole history.

    Parameters
    ----------
    job
        The job's key.
    batch
        Its batch, where several batches have such a key.
    """
    from orchestrator.cli import history  # noqa: PLC0415

    return await history.show(job, batch, where, voice)


@program.command(sort_key=8)
async def retry(
    *keys: str,
    all_: Annotated[bool, Switch, Parameter(name="--all")] = False,
    error: Code = None,
    batch: str | None = None,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Put failed, expired or cancelled jobs back in line; `resume` sends them, as new paid requests.

    Parameters
    ----------
    keys
        Keys of jobs, or patterns such as 'mug-*'.
    all_
        Every failed or expired job instead of keys; a cancelled one must be named.
    error
        Only jobs that failed with this error code.
    batch
        Only jobs of this batch.
    """
    from orchestrator.cli import deciding  # noqa: PLC0415

    return await deciding.retry(deciding.Chosen(keys=keys, every=all_, code=error, batch=batch), where, voice)


@program.command(sort_key=9)
async def cancel(
    *keys: str,
    all_: Annotated[bool, Switch, Parameter(name="--all")] = False,
    batch: str | None = None,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Stop jobs that have not been sent, and by their names those whose paid result is out of reach.

    Parameters
    ----------
    keys
        Keys of jobs, or patterns such as 'mug-*'.
    all_
        Every such job instead of keys.
    batch
        Only jobs of this batch.
    """
    from orchestrator.cli import deciding  # noqa: PLC0415

    return await deciding.cancel(deciding.Chosen(keys=keys, every=all_, batch=batch), where, voice)


@program.command(sort_key=10)
async def resolve(  # noqa: PLR0913 - one option per answer the user may give
    *keys: str,
    all_: Annotated[bool, Switch, Parameter(name="--all")] = False,
    adopt: Annotated[str | None, Parameter()] = None,
    resubmit: Annotated[bool, Switch] = False,
    not_charged: Annotated[bool, Switch] = False,
    give_up: Annotated[bool, Switch] = False,
    max_cost: Annotated[Decimal | None, Parameter(validator=amount)] = None,
    error: Code = None,
    batch: str | None = None,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Settle uncertain jobs, which were perhaps paid and brought no result, in exactly one of four ways.

    Parameters
    ----------
    keys
        Keys of jobs, or patterns such as 'mug-*'.
    all_
        Every uncertain job instead of keys.
    adopt
        This is its task at the provider, which is asked whether it knows it: fetch the result of it.
    resubmit
        Pay again, knowingly.
    not_charged
        They cost nothing, I looked it up: send them again.
    give_up
        Let them fail; what they may have cost stays in the books. Also for a job named here whose paid result is out of reach.
    max_cost
        USD that --resubmit may pay again at worst; if all of it may cost more, nothing is changed.
    error
        Only jobs that are uncertain for this reason, an error code.
    batch
        Only jobs of this batch.
    """
    from orchestrator.cli import deciding  # noqa: PLC0415

    answer = deciding.Answer(adopt=adopt, resubmit=resubmit, not_charged=not_charged, give_up=give_up, max_cost=max_cost)
    return await deciding.resolve(deciding.Chosen(keys=keys, every=all_, code=error, batch=batch), answer, where, voice)


@program.command(sort_key=11)
async def verify(
    batch: str | None = None,
    /,
    *,
    repair: Annotated[bool, Switch] = False,
    where: InPlace = HERE,
    voice: Voiced = ALOUD,
) -> int:
    """Hold store and results against each other, and name every file or row that is missing, foreign or changed.

    Parameters
    ----------
    batch
        Which batch; all of them without a name.
    repair
        Give images their files again from where that costs nothing; orders nothing.
    """
    from orchestrator.cli import verifying  # noqa: PLC0415

    return await verifying.verify(batch, where, voice, repair=repair)


providers = App(
    name="providers",
    help="Show what is supported: the features of each API, and with `show NAME` its models, limits and prices.",
    sort_key=12,
)
program.command(providers)


@providers.default
async def all_providers(*, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Show what is supported: the features of each API, and with `show NAME` its models, limits and prices."""
    from orchestrator.cli import providing  # noqa: PLC0415

    return await providing.providers(where, voice)


@providers.command(name="show")
async def one_provider(name: str, /, *, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Show one provider's options and models, with limits, prices and the days on which models go.

    Parameters
    ----------
    name
        An adapter such as `toapis`, or a family such as `openai`.
    """
    from orchestrator.cli import providing  # noqa: PLC0415

    return await providing.show(name, where, voice)


@program.command(sort_key=13)
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


@program.command(sort_key=14)
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

"""What changes nothing: batches checked and reckoned before a run, and all that the store and the catalog tell."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from orchestrator.cli.options import ALOUD, AS_IT_IS, HERE, Budget, Code, InPlace, Positive, ReadAs, States, Switch, Voiced


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


async def validate(file: Path, /, *, sent: ReadAs = AS_IT_IS, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Check a batch file: every problem at once, or what it asks for. Stores and sends nothing.

    Parameters
    ----------
    file
        The batch: YAML, CSV or JSONL.
    """
    from orchestrator.cli import checking  # noqa: PLC0415

    return await checking.validate(file, where, voice, sent)


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


async def status(batch: str | None = None, /, *, where: InPlace = HERE, voice: Voiced = ALOUD) -> int:
    """Show how batches stand: jobs per state, images, money, deadlines.

    Parameters
    ----------
    batch
        Which batch; all of them without a name.
    """
    from orchestrator.cli import standing  # noqa: PLC0415

    return await standing.status(batch, where, voice)


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


providers = App(
    name="providers",
    help="Show what is supported: the features of each API, and with `show NAME` its models, limits and prices.",
    sort_key=12,
)


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

"""What changes jobs that are stored: their user decides on them, or their files are given back."""

from decimal import Decimal
from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.options import ALOUD, HERE, Code, InPlace, Switch, Voiced, amount


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

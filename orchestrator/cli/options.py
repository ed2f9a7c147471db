"""The options that several commands share."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter, validators

from orchestrator.jobs.failures import ErrorCode
from orchestrator.jobs.lifecycle import State
from orchestrator.jobs.money import usd

_WHERE = Group("Where things are", sort_key=10)
_VOICE = Group("What is shown", sort_key=11)
_REACH = Group("How APIs reach it", sort_key=9)
_SENT = Group("What is sent", sort_key=1)
_AT_LEAST_ONE = validators.Number(gte=1)


def amount(_type: type, usd_given: Decimal | None) -> None:
    """Raise `ValueError` unless an option is an amount of USD."""
    if usd_given is not None:
        usd(usd_given)


Switch = Parameter(negative=(), show_default=False)
Code = Annotated[ErrorCode | None, Parameter(name="--error", name_transform=str.lower, show_choices=False)]
States = Annotated[tuple[State, ...], Parameter(name="--state", negative=(), show_default=False)]
Positive = Annotated[int, Parameter(validator=_AT_LEAST_ONE)]
Budget = Annotated[
    Decimal | None, Parameter(validator=amount, help="USD that the batch may cost at worst; stays until another one is given.")
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Which store, folder and settings."""

    db: Annotated[str | None, Parameter(help="Store file [default: orchestrator.db; environment: ORCHESTRATOR_DB].")] = None
    out: Annotated[str | None, Parameter(help="Folder of the results [default: results].")] = None
    config: Annotated[Path | None, Parameter(help="Settings file [default: orchestrator.toml, if it is there].")] = None
    simulate: Annotated[
        bool, Switch, Parameter(help="Rehearse at the built-in simulator, with a store and a folder of its own.")
    ] = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """How a command speaks."""

    json: Annotated[bool, Switch, Parameter(help="One JSON object a line on standard output, all else on standard error.")] = (
        False
    )
    quiet: Annotated[bool, Switch, Parameter(help="Only errors and the end.")] = False
    verbose: Annotated[
        bool, Switch, Parameter(name=("--verbose", "-v"), help="Every event; the details of an internal error.")
    ] = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a batch file is read."""

    account: Annotated[str | None, Parameter(help="Account of the jobs that name none.")] = None
    model: Annotated[str | None, Parameter(help="Model of the jobs that name none.")] = None
    encoding: Annotated[str | None, Parameter(help="Encoding of the file, where it is not UTF-8 or UTF-16.")] = None
    trust_accounts: Annotated[
        bool, Switch, Parameter(help="Let accounts in the file send keys to hosts of their own choice.")
    ] = False
    changed: Annotated[
        Literal["error", "keep", "replace"], Parameter(help="A key that now asks for something else than what is stored.")
    ] = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How much is sent, and how fast."""

    concurrency: Annotated[int | None, Parameter(validator=_AT_LEAST_ONE, help="Paid requests in flight per account.")] = None
    budget: Budget = None
    limit: Annotated[int | None, Parameter(validator=_AT_LEAST_ONE, help="Send at most this many jobs in this run.")] = None
    only: Annotated[str | None, Parameter(help="Send only jobs whose key matches this pattern, e.g. 'mug-*'.")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How APIs reach the program."""

    public_url: Annotated[str | None, Parameter(help="Where APIs reach this program, to call it when a task ends.")] = None
    listen: Annotated[
        str | None, Parameter(help="HOST:PORT to listen on [default: 127.0.0.1:8765]; `none` where `serve --no-work` listens.")
    ] = None


InPlace = Annotated[Where, Parameter(name="*", group=_WHERE)]
Voiced = Annotated[Voice, Parameter(name="*", group=_VOICE)]
ReadAs = Annotated[Reading, Parameter(name="*", group=_SENT)]
Paced = Annotated[Pace, Parameter(name="*", group=_SENT)]

Reached = Annotated[Reach, Parameter(name="*", group=_REACH)]

HERE, ALOUD, AS_IT_IS, ALL_OF_IT, UNREACHED = Where(), Voice(), Reading(), Pace(), Reach()
"""Nothing said."""

"""What an error means to the user: one clear line, and an exit code (design.md section 7)."""

import sys
import traceback

from orchestrator.cli.streams import let_go, say
from orchestrator.cli.words import counted, harmless
from orchestrator.jobs.places import BadInput, errors

USAGE = 2
CANNOT_START = 3
INTERNAL = 70
STOPPED = 130
NOBODY_READS = 141
"""What a shell says of a program that wrote into a closed pipe."""

_MOST_TOLD = 1000
"""Problems that a batch keeps; a last line counts the others."""


class Refused(Exception):
    """The user asked for what cannot be done as asked (exit code 2)."""


class Stopped(Exception):
    """A signal came before anything was sent (exit code 130)."""


def first_cause(error: BaseException) -> BaseException:
    """Return the first error of a group, or the error itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error that ended a command."""
    from orchestrator.app import CannotStart, NotFound  # noqa: PLC0415 - a second that `--help` need not wait

    match first_cause(error):
        case BadInput() | NotFound() | Refused():
            return USAGE
        case CannotStart():
            return CANNOT_START
        case Stopped() | KeyboardInterrupt():
            return STOPPED
        case BrokenPipeError():
            return NOBODY_READS
        case OSError(filename=name) if name is not None:
            return CANNOT_START
        case _:
            return INTERNAL


def explain(error: BaseException, *, verbose: bool) -> int:
    """Tell the user what went wrong, and return the exit code."""
    cause = first_cause(error)
    code = exit_code(cause)
    if isinstance(cause, BadInput):
        _tell_problems(cause)
    elif code == NOBODY_READS:
        let_go(sys.stdout)
    elif code == INTERNAL:
        _tell_bug(error, cause, verbose=verbose)
    elif isinstance(cause, OSError):
        say(f"error: cannot use {harmless(str(cause.filename))}: {cause.strerror}")
    elif isinstance(cause, KeyboardInterrupt):
        say("stopped")
    else:
        say(f"error: {harmless(str(cause))}" if code != STOPPED else str(cause))
    return code


def _tell_problems(error: BadInput) -> None:
    for problem in error.problems:
        say(harmless(str(problem)))
    wrong = len(list(errors(error.problems)))
    if wrong > 1 or error.problems[0].place is not None:
        number = f"more than {_MOST_TOLD} problems" if wrong > _MOST_TOLD else counted(wrong, "problem")
        say(f"{number}; nothing was stored or sent")


def _tell_bug(error: BaseException, cause: BaseException, *, verbose: bool) -> None:
    if verbose:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(harmless(line))
    details = "" if verbose else "; details: run again with -v"
    said = harmless(str(cause)) or "no message"
    say(f"internal error: {type(cause).__name__}: {said}; please report it{details}")

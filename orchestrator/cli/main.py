"""Where the program begins: arguments in, exit code out, and no traceback in between."""

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError
from cyclopts.exceptions import UnusedCliTokensError

from orchestrator.cli.commands import program
from orchestrator.cli.logs import listen_to_libraries
from orchestrator.cli.outcome import USAGE, explain
from orchestrator.cli.streams import prepare, say
from orchestrator.cli.words import harmless


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    prepare()
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbose = not {"-v", "--verbose"}.isdisjoint(words)
    listen_to_libraries(verbose=verbose)
    try:
        code = program(_command_first(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        say(f"error: {harmless(_usage(error))}; see `orchestrator --help`")
        return USAGE
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever it is, the user gets a sentence
        return explain(error, verbose=verbose)
    return code or 0


def _command_first(words: list[str]) -> list[str]:
    """Let options stand before the command too."""
    if not words or not words[0].startswith("-"):
        return words
    for position, word in enumerate(words):
        if word in program and not word.startswith("-"):
            return [word, *words[:position], *words[position + 1 :]]
    return words


def _usage(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        return f"nothing is known to do with {' '.join(error.unused_tokens or [])}"
    return str(error).rstrip(".")

"""The commands and their help. Each imports its work when it is called, so that `--help` answers at once."""

from cyclopts import App, Group

from orchestrator import __version__
from orchestrator.cli.commands.looking import export, jobs, plan, providers, show, status, validate
from orchestrator.cli.commands.repairing import cancel, resolve, retry, verify
from orchestrator.cli.commands.running import resume, run, serve, simulate

__all__ = ["program"]

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

_FUNCTIONS = (
    (1, run), (2, resume), (3, export), (4, validate), (4, plan), (5, status), (6, jobs), (7, show), (8, retry), (9, cancel),
    (10, resolve), (11, verify), (13, serve), (14, simulate),
)  # fmt: skip
"""Places in the help and what stands there; equal places are ordered by name. `providers` knows its own."""

for _place, _function in _FUNCTIONS:
    program.command(_function, sort_key=_place)
program.command(providers)

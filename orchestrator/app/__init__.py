"""The one place where real things are built and joined. The command line calls it, and it knows nothing of the command line."""

from orchestrator.app.looking import Action, Looking
from orchestrator.app.running import Begun, Finished, Listeners, Running
from orchestrator.app.setup import CannotStart, NotFound, Options
from orchestrator.app.simulating import simulate

__all__ = ["Action", "App", "Begun", "CannotStart", "Finished", "Listeners", "NotFound", "Options", "simulate"]


class App(Running, Looking):
    """One use of the program: what it may do, with the settings of one call."""

"""The one place where real things are built and joined. The command line calls it, and it knows nothing of the command line."""

from orchestrator.app.batches import Listeners
from orchestrator.app.budgets import Reached
from orchestrator.app.following import Follower
from orchestrator.app.looking import Action
from orchestrator.app.planning import Planning
from orchestrator.app.resolving import CannotResolve, Resolved, Resolving
from orchestrator.app.running import Begun, Finished
from orchestrator.app.serving import Serving
from orchestrator.app.setup import CannotStart, NotFound, Options
from orchestrator.app.sharing import Followed, Sharing
from orchestrator.app.simulating import simulate
from orchestrator.app.verifying import Ear, Verified, Verifying
from orchestrator.engine.repair import Mended

__all__ = [
    "Action",
    "App",
    "Begun",
    "CannotResolve",
    "CannotStart",
    "Ear",
    "Finished",
    "Followed",
    "Follower",
    "Listeners",
    "Mended",
    "NotFound",
    "Options",
    "Reached",
    "Resolved",
    "Verified",
    "simulate",
]


class App(Sharing, Planning, Resolving, Serving, Verifying):
    """One use of the program: what it may do, with the settings of one call."""

"""The providers' server side, wire-true to their documents, with limits and faults on request.

It imports nothing of the rest of the program, so that it can't agree with the client's mistakes.
"""

from orchestrator.simulator.drawing import Picture, draw
from orchestrator.simulator.ledger import Download, Ledger, Poll, Reference, Submission, Upload
from orchestrator.simulator.options import SimulatorOptions
from orchestrator.simulator.server import Simulator, serve

__all__ = [
    "Download",
    "Ledger",
    "Picture",
    "Poll",
    "Reference",
    "Simulator",
    "SimulatorOptions",
    "Submission",
    "Upload",
    "draw",
    "serve",
]

"""Bytes of strangers become files of ours: spooled raw, decoded whole, fsynced, and only then given their final name."""

from orchestrator.decoding.facts import ImageFacts, NotAnImage, UnsafeImage, extension_of
from orchestrator.results.arrival import Arrival
from orchestrator.results.files import ForeignFolder, OutputFolder, free_bytes
from orchestrator.results.names import safe_name
from orchestrator.results.overflow import Overflow
from orchestrator.results.pool import DecodePool, WorkerUnavailable
from orchestrator.results.references import Copy, References, Target
from orchestrator.results.saving import Results, SavedImage, inspect
from orchestrator.results.sink import AnswerSink, SpoolTooLarge
from orchestrator.results.spool import Spool, SpooledAnswer

__all__ = [
    "AnswerSink",
    "Arrival",
    "Copy",
    "DecodePool",
    "ForeignFolder",
    "ImageFacts",
    "NotAnImage",
    "OutputFolder",
    "Overflow",
    "References",
    "Results",
    "SavedImage",
    "Spool",
    "SpoolTooLarge",
    "SpooledAnswer",
    "Target",
    "UnsafeImage",
    "WorkerUnavailable",
    "extension_of",
    "free_bytes",
    "inspect",
    "safe_name",
]

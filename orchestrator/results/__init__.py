"""Bytes of strangers become files of ours: spooled raw, decoded whole, fsynced, and only then given their final name."""

from orchestrator.results.arrival import Arrival
from orchestrator.results.decode import ImageFacts, NotAnImage, UnsafeImage
from orchestrator.results.files import ForeignFolder, OutputFolder, free_bytes
from orchestrator.results.names import safe_name
from orchestrator.results.pool import DecodePool, WorkerUnavailable
from orchestrator.results.saving import Results, SavedImage, inspect
from orchestrator.results.spool import AnswerSink, Spool, SpooledAnswer, SpoolTooLarge

__all__ = [
    "AnswerSink",
    "Arrival",
    "DecodePool",
    "ForeignFolder",
    "ImageFacts",
    "NotAnImage",
    "OutputFolder",
    "Results",
    "SavedImage",
    "Spool",
    "SpoolTooLarge",
    "SpooledAnswer",
    "UnsafeImage",
    "WorkerUnavailable",
    "free_bytes",
    "inspect",
    "safe_name",
]

"""Batch files: YAML, CSV and JSONL become drafts of jobs, or every problem with its line."""

from orchestrator.batchfile.fields import Row
from orchestrator.batchfile.header import Header
from orchestrator.batchfile.opening import BatchFile, open_batch
from orchestrator.batchfile.problems import Problems

__all__ = ["BatchFile", "Header", "Problems", "Row", "open_batch"]

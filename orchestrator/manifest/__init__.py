"""The receipt: what was asked, what came, what it cost, what failed and why."""

from orchestrator.manifest.export import STANDARD_OUTPUT, Form, export
from orchestrator.manifest.rows import ManifestAttempt, ManifestCost, ManifestError, ManifestImage, ManifestJob

__all__ = [
    "STANDARD_OUTPUT",
    "Form",
    "ManifestAttempt",
    "ManifestCost",
    "ManifestError",
    "ManifestImage",
    "ManifestJob",
    "export",
]

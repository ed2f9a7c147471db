"""The receipt: what was asked, what came, what it cost, what failed and why."""

from orchestrator.manifest.export import STANDARD_OUTPUT, Form, check_place, export, write_manifest
from orchestrator.manifest.rows import ManifestAttempt, ManifestCost, ManifestError, ManifestImage, ManifestJob, ManifestParent

__all__ = [
    "STANDARD_OUTPUT",
    "Form",
    "ManifestAttempt",
    "ManifestCost",
    "ManifestError",
    "ManifestImage",
    "ManifestJob",
    "ManifestParent",
    "check_place",
    "export",
    "write_manifest",
]

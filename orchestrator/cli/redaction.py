"""Keys kept out of what is not told by the engine: tracebacks, and what libraries log, may quote anything."""

import os
import re
from collections.abc import Mapping

from orchestrator.jobs.secrets import Redactor, Secret

_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)


def redactor_of(environment: Mapping[str, str] = os.environ) -> Redactor:
    """Return a filter for the values of all variables whose names say that they are secret."""
    return Redactor(Secret(value.strip()) for name, value in environment.items() if _NAME.search(name))

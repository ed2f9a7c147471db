"""The engine as it must not be: its commits are not on the disk when it goes on. A control, which has to fail."""

from orchestrator.store import opening
from tests.engine.runner import main

if __name__ == "__main__":
    opening.PRAGMAS = {**opening.PRAGMAS, "synchronous": "NORMAL"}
    main()

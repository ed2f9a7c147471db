"""Says yes or no: lint, format, types, import floors, tests. `python -m tests` from the checkout; more arguments go to pytest."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable, "-m"]
WORKERS = (os.cpu_count() or 1) + 2
"""Test processes: many tests wait for other processes and for the disk."""
CHECKS = [
    [*PYTHON, "ruff", "check", "."],
    [*PYTHON, "ruff", "format", "--check", "."],
    [*PYTHON, "mypy"],
    [str(Path(sys.executable).with_name("lint-imports"))],
    [*PYTHON, "pytest", "-n", str(WORKERS), "--dist", "worksteal", *sys.argv[1:]],
]


def main() -> int:
    """Run every check, cheapest first, and return the first exit code that is not 0."""
    for command in CHECKS:
        sys.stdout.write(" ".join(["$", Path(command[0]).name, *command[1:]]) + "\n")
        sys.stdout.flush()
        code = subprocess.run(command, cwd=CHECKOUT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())

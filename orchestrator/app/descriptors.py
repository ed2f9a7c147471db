"""How many files this process may hold open, and how many requests that leaves it.

Too few show in the middle of a paid request: its answer can then be neither received nor written down. So the requests in
flight are kept to what the limit allows, from the start.
"""

import sys
from collections.abc import Mapping

WANTED = 4096
"""Open files that are asked of the system, where it grants them; its usual limits (256, 1024) are for programs that talk less."""
BASE = 48
"""Open files of a run without any request: store, decode workers, locks, output, and what libraries read."""
PER_ROUND = 6
"""Open files for a paid request, a look and a download at a time: connections, the kept answer, the part file; one spare."""
PER_SIMULATED = 3
"""The other ends of those connections, when the simulator is in this process."""


class TooFewFiles(Exception):
    """Not even one request at a time would be safe."""


def allowed() -> int | None:
    """Return how many files this process may open, after asking for more if it is little; None where nobody says."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return None if soft == resource.RLIM_INFINITY else soft


def at_once(files: int, *, simulated: bool) -> int:
    """Return how many requests of each kind may be in flight with so many files; raise `TooFewFiles`."""
    each = PER_ROUND + PER_SIMULATED * simulated
    room = (files - BASE) // each
    if room < 1:
        raise TooFewFiles(f"this process may open {files} files, and needs {BASE + each} at least: `ulimit -n 1024` allows more")
    return room


def shared(wanted: Mapping[str, int], room: int) -> dict[str, int]:
    """Share room among accounts by what they want, each at least one and none more than it wants."""
    total = sum(wanted.values())
    return {name: slots if total <= room else max(1, slots * room // total) for name, slots in wanted.items()}

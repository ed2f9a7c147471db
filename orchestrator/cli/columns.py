"""Rows in columns: cut to the width of a terminal, whole and unwrapped anywhere else."""

import shutil
import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from orchestrator.cli.streams import is_screen

_GAP = "  "


def print_columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of harmless text under their titles; nothing but the titles when there are none."""
    most = shutil.get_terminal_size().columns if is_screen(sys.stdout) else sys.maxsize
    widths = [max(cell_len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    for row in [titles, *rows]:
        line = Text(_GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())
        line.truncate(most, overflow="ellipsis")
        print(line.plain)

"""The exact command lines that are suggested to the user."""

import shlex
from dataclasses import dataclass

from orchestrator.cli.options import Where
from orchestrator.cli.words import harmless


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """Builds command lines for the same store as the present one."""

    where: Where

    def line(self, *words: str) -> str:
        """Return a command line that can be copied."""
        return harmless(shlex.join(["orchestrator", *words, *self._options()]))

    def _options(self) -> list[str]:
        named = {"--db": self.where.db, "--out": self.where.out, "--config": self.where.config}
        options = [word for name, value in named.items() if value is not None for word in (name, str(value))]
        return [*options, "--simulate"] if self.where.simulate else options

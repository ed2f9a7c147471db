"""Reading settings that people write: everything that is wrong in a mapping, each thing with its path."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from orchestrator.jobs.places import BadInput, Problem
from orchestrator.jobs.spec import Json
from orchestrator.providers.hints import closest, did_you_mean, said

T = TypeVar("T")


class Expected(Exception):
    """A value is not what was expected; the text says what was."""


class Section:
    """One mapping while it is read. Nothing raises: `problems` collects, shared with every section inside."""

    def __init__(self, value: Json, path: str, problems: list[Problem] | None = None) -> None:
        self.path = path
        self.problems: list[Problem] = [] if problems is None else problems
        self._asked: set[str] = set()
        self._values: dict[str, Json] = {}
        if isinstance(value, Mapping):
            self._values = {str(name): inner for name, inner in value.items()}
        elif value is not None:
            self._note(path, "a mapping", value)

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def read(self, name: str, convert: Callable[[Json], T]) -> T | None:
        """Return the converted value, or None where it is missing or not what `convert` expects."""
        self._asked.add(name)
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return convert(value)
        except Expected as expected:
            self._note(f"{self.path}.{name}", str(expected), value)
            return None

    def section(self, name: str) -> "Section | None":
        """Return the mapping under `name`, if there is one."""
        self._asked.add(name)
        return Section(self._values[name], f"{self.path}.{name}", self.problems) if name in self else None

    def sections(self) -> Iterator[tuple[str, "Section"]]:
        """Yield every name with the mapping under it."""
        for name, value in self._values.items():
            self._asked.add(name)
            yield name, Section({} if value is None else value, f"{self.path}.{name}", self.problems)

    def names(self) -> tuple[str, ...]:
        """Return every name, in the order written."""
        return tuple(self._values)

    def close(self) -> None:
        """Note every name that nothing asked for."""
        for name in self._values.keys() - self._asked:
            hint = did_you_mean(closest(name, self._asked))
            self.problems.append(Problem(message=f"{self.path}.{name} is not known{hint}"))

    def needs(self, what: str) -> None:
        """Note that something is missing here."""
        self.problems.append(Problem(message=f"{self.path} needs {what}"))

    def check(self) -> None:
        """Raise `BadInput` with everything noted so far, here and inside."""
        if self.problems:
            raise BadInput(self.problems)

    def _note(self, path: str, expected: str, value: Json) -> None:
        self.problems.append(Problem(message=f"{path} must be {expected}; got {said(value)}"))


def text(value: Json) -> str:
    """Return a text; raise `Expected` for anything else."""
    if not isinstance(value, str):
        raise Expected("text")
    return value


def whole(value: Json) -> int:
    """Return a whole number from 0; raise `Expected` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Expected("a whole number from 0")
    return value


def flag(value: Json) -> bool:
    """Return true or false; raise `Expected` for anything else."""
    if not isinstance(value, bool):
        raise Expected("true or false")
    return value


def day(value: Json) -> date:
    """Return a date, also from ISO text; raise `Expected` for anything else."""
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Expected("a date such as 2026-12-01") from None


def money(value: Json) -> Decimal:
    """Return USD from decimal text or a whole number; raise `Expected` for anything else.

    A float is refused: 0.1 would not be what was written.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Expected('an amount of USD as text, such as "0.02"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise Expected('an amount of USD as text, such as "0.02"')
    return amount


def texts(value: Json) -> tuple[str, ...]:
    """Return a list of texts; raise `Expected` for anything else."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise Expected("a list of texts")
    return tuple(value)


def scalars(value: Json) -> tuple[Json, ...]:
    """Return a list of texts and numbers; raise `Expected` for anything else."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str | int | float) for item in value):
        raise Expected("a list of texts or numbers")
    return tuple(value)


def text_by_name(value: Json) -> dict[str, str]:
    """Return a mapping from texts to texts; raise `Expected` for anything else."""
    if not isinstance(value, Mapping) or not all(isinstance(inner, str) for inner in value.values()):
        raise Expected("a mapping of texts")
    return {str(name): inner for name, inner in value.items()}

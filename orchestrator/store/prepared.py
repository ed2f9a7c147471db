"""Statements as the driver takes them: SQLAlchemy writes the SQL once, rows then go to SQLite as plain tuples.

Executed through SQLAlchemy, a statement changes threads three times and each row is looked at again; here once, and never.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import BindParameter, Executable, Float
from sqlalchemy.dialects.sqlite.pysqlite import dialect
from sqlalchemy.sql.compiler import SQLCompiler

_DIALECT = dialect()
T = TypeVar("T")


class Prepared:
    """One statement, for rows that all give values to the same names; raise `ValueError` when that leaves one without."""

    def __init__(self, statement: Executable, names: tuple[str, ...]) -> None:
        compiled: SQLCompiler = statement.compile(dialect=_DIALECT, column_keys=names)  # type: ignore[attr-defined]
        parameters = {name: parameter for parameter, name in compiled.bind_names.items()}
        left = [name for name, parameter in parameters.items() if parameter.required and name not in names]
        if left:
            raise ValueError(f"the statement needs values for {', '.join(left)}")
        self.sql = str(compiled)
        given = {name: parameter for name, parameter in parameters.items() if name in names}
        fixed = {name: parameter for name, parameter in parameters.items() if name not in names}
        self._bound = [(name, _bound(parameter)) for name, parameter in given.items() if not _is_plain(parameter)]
        self._fixed = {name: _bound(parameter)(parameter.value) for name, parameter in fixed.items()}
        self._in_order = _picker(compiled.positiontup or ())

    def row(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return one row's values in the order of the placeholders."""
        if self._fixed or self._bound:
            values = {**self._fixed, **values, **{name: bound(values[name]) for name, bound in self._bound}}
        return self._in_order(values)


@cache
def prepared(statement: Executable, names: tuple[str, ...]) -> Prepared:
    """Return a statement for rows with these names; made once."""
    return Prepared(statement, names)


async def within_driver(driver: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` on the driver's thread with the connection itself, and return what it returns.

    The driver offers its own methods this way only, each a change of threads; a whole transaction needs one. Once begun it runs
    to its end, whoever is cancelled meanwhile.
    """
    return await driver._execute(lambda: work(driver._conn))  # type: ignore[no-any-return, no-untyped-call]  # noqa: SLF001


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def _is_plain(parameter: BindParameter[Any]) -> bool:
    """Say whether values go to the driver as they are; in a column for floats SQLite itself turns a whole number into one."""
    return isinstance(parameter.type, Float) or _processor(parameter) is None


def _bound(parameter: BindParameter[Any]) -> Callable[[Any], Any]:
    """Return what makes a value into one that the driver takes."""
    return _processor(parameter) or (lambda value: value)


def _processor(parameter: BindParameter[Any]) -> Callable[[Any], Any] | None:
    return parameter.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)

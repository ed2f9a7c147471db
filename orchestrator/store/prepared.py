"""Statements as the driver takes them: SQLAlchemy writes the SQL once, rows then go to SQLite as plain tuples.

Executed through SQLAlchemy, a statement changes threads three times and each row is looked at again; here once, and never.
"""

import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import BindParameter, Executable
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
        order = compiled.positiontup or ()
        self._places = [_place(name, parameters[name], names) for name in order]
        is_plain = len(order) > 1 and all(isinstance(place, itemgetter) for place in self._places)
        self._all_at_once: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = itemgetter(*order) if is_plain else None

    def row(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return one row's values in the order of the placeholders."""
        if self._all_at_once is not None:
            return self._all_at_once(values)
        return tuple([place(values) for place in self._places])


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


def _place(name: str, parameter: BindParameter[Any], names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    process = parameter.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    if name not in names:
        fixed = process(parameter.value) if process else parameter.value
        return lambda _values: fixed
    if process is None:
        return itemgetter(name)
    return lambda values: process(values[name])

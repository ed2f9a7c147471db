"""Column types that keep money exact and enumerations checked."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Dialect
from sqlalchemy.types import TypeDecorator

NANO = Decimal(10) ** 9


class Money(TypeDecorator[Decimal]):
    """USD as a whole number of billionths: exact, and the database can add it up."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Turn dollars into billionths, rounding up what is smaller."""
        del dialect
        return None if value is None else -int(-(value * NANO) // 1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Turn billionths into dollars."""
        del dialect
        return None if value is None else Decimal(value) / NANO


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Return the check that a column holds one of an enumeration's words."""
    return CheckConstraint(is_any(column, words), name=f"{column}_known")


def is_any(column: str, words: Iterable[str]) -> str:
    """Return the SQL that says whether a column is one of several words of ours.

    For checks: SQLite builds a small index for every IN list each time it looks at a row, which took half of the time of an
    UPDATE; comparisons cost nothing beside it. Queries keep IN, which the planner understands better.
    """
    return " OR ".join(f"{column} = '{word}'" for word in words)


def quoted(words: object) -> str:
    """Return words as a list of SQL literals; they come from our own enumerations only."""
    return ", ".join(f"'{word}'" for word in words)  # type: ignore[attr-defined]

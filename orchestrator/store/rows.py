"""Rows as plain values."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from orchestrator.store.columns import NANO

_JSON = frozenset({"spec", "usage", "words"})
_MONEY_COLUMNS = frozenset({"cost_likely", "cost_worst", "cost_estimated", "cost_reserved", "cost_settled"})


def plain(row: Row[Any], decode: Callable[[str], Any] = json.loads) -> dict[str, Any]:
    """Return a row by column: JSON decoded, money in USD."""
    values = dict(row._mapping)  # noqa: SLF001 - the public name of SQLAlchemy's row mapping
    for name in _JSON & values.keys():
        values[name] = decode(values[name]) if values[name] is not None else None
    for name in _MONEY_COLUMNS & values.keys():
        values[name] = dollars(values[name]) if values[name] is not None else None
    return values


def decoded_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Return decoded JSON, and what is none as the text it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def dollars(billionths: int) -> Decimal:
    """Return an amount as the tables hold it in USD."""
    return Decimal(billionths) / NANO

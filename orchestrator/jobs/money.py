"""Amounts of money as people write them."""

from decimal import Decimal, InvalidOperation

_MOST_DIGITS = 9
"""Digits after the point that the store keeps."""


def usd(value: object) -> Decimal:
    """Return USD exactly as written: text, a whole number, or a decimal; raise `ValueError` for anything else."""
    try:
        amount = Decimal("NaN" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount != round(amount, _MOST_DIGITS):
        raise ValueError(_expected(value))
    return amount


def _expected(value: object) -> str:
    return f"must be an amount of USD, 0 or more, such as 25.00; got {value}"

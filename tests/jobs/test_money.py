from decimal import Decimal
from typing import Any

import pytest

from orchestrator.jobs.money import usd


@pytest.mark.parametrize(
    ("written", "amount"), [("25.00", "25"), (3, "3"), (0.1, "0.1"), (Decimal("0.000000001"), "0.000000001"), (0, "0")]
)
def test_an_amount_is_exactly_what_was_written(written: Any, amount: str) -> None:
    assert usd(written) == Decimal(amount)


@pytest.mark.parametrize("written", ["much", "", -1, "-0.01", "NaN", "inf", float("nan"), True, None, [1], "0.0000000001", "$5"])
def test_what_is_no_amount_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValueError, match=r"must be an amount of USD, 0 or more, such as 25\.00; got"):
        usd(written)

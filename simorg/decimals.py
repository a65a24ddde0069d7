"""Exact decimal numbers as text: canonical form, and the SQL functions that formulas use."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import apsw

EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def canonical(number: Decimal) -> str:
    """Write a number plainly, without needless zeros but always with a decimal point: `100.0`, `0.25`."""
    text = f"{number:f}"
    if "." not in text:
        text += ".0"
    text = text.rstrip("0")
    text = text + "0" if text.endswith(".") else text
    return text.removeprefix("-") if not number else text


def read(text: str) -> Decimal | None:
    """Read a number, or None when it is not one (NaN and infinity are not)."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def rounded(number: Decimal, scale: int) -> Decimal:
    """Round half up to `scale` decimals, as Salesforce does with extra digits."""
    return number.quantize(Decimal(1).scaleb(-scale), context=EXACT)


def register(connection: apsw.Connection) -> None:
    """Give a connection `decimal_times(scale, a, b, …)` and `decimal_sum(scale, a, …)`, which formulas use."""
    connection.create_scalar_function("decimal_times", _times, deterministic=True)
    connection.create_aggregate_function("decimal_sum", _Sum)


def _times(*values: Any) -> str | None:
    scale, *factors = values
    product = _product(factors)
    return None if product is None else canonical(rounded(product, scale))


def _product(factors: Sequence[str | int | None]) -> Decimal | None:
    product = Decimal(1)
    for factor in factors:
        number = None if factor is None else read(str(factor))
        if number is None:  # also a text that is no number: a formula over it must not make its row unreadable
            return None
        product = EXACT.multiply(product, number)
    return product


class _Sum:
    def __init__(self) -> None:
        self.total = Decimal(0)
        self.scale = 2

    def step(self, *values: Any) -> None:
        self.scale, *factors = values
        self.total = EXACT.add(self.total, _product(factors) or Decimal(0))

    def final(self) -> str:
        return canonical(rounded(self.total, self.scale))

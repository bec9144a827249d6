"""From the amounts that people write to whole units, and shares without drift.

Plain Python, integers and decimals only: no float ever touches an amount.
"""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

LOWER, UPPER, NATURAL = "LOWER", "UPPER", "NATURAL"

_DECIMAL = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")
_MODES = {LOWER: ROUND_FLOOR, UPPER: ROUND_CEILING, NATURAL: ROUND_HALF_UP}


class NotAnAmount(ValueError):
    """The text is not a plain decimal number; the message is a sentence."""


def to_units(amount: Decimal | str, scale: int, rounding: str) -> int:
    """Return an amount in units of 10 to the power of minus ``scale``.

    ``rounding`` is of the size, whatever the sign: LOWER towards nothing, UPPER away
    from it, NATURAL to the nearest, halves away from nothing.
    """
    if isinstance(amount, str):
        amount = parse(amount)
    if not amount.is_finite():
        raise NotAnAmount("An amount is a number, such as 12.50.")
    units = abs(amount).scaleb(scale).to_integral_value(_MODES[rounding])
    return int(units) if amount >= 0 else -int(units)


def parse(text: str) -> Decimal:
    """Read a number as people write it: ASCII digits, and a dot before decimals."""
    if not _DECIMAL.fullmatch(text):
        hint = " Use a dot before decimals." if "," in text else ""
        raise NotAnAmount(f"“{text[:40]}” is not a number such as 12.50.{hint}")
    return Decimal(text)


def taken_back(amount: int, *, whole: int, returned: int, rounding: str) -> int:
    """Return how much of ``amount`` goes when ``returned`` of ``whole`` is returned.

    What stays is what the rest would have earned, rounded as it was earned. Called
    with what was returned in sum, and less what went before, the parts add up to
    exactly the whole.
    """
    kept, rest = divmod(amount * (whole - returned), whole)
    if rounding == UPPER:
        kept += rest > 0
    elif rounding == NATURAL:
        kept += 2 * rest >= whole
    return amount - kept

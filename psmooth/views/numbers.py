"""Writes numbers as a visitor reads them: radii floored, bounds rounded to the safe side, counts, durations.

It knows nothing about what they are of.
"""

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from psmooth.views.locale import decimal, thousands, translate

EXACT: Final = Context(prec=150)  # an α from 1e-100 up has its last digit at the 117th place at most


def number_text(number: float, form: str = "g") -> str:
    """A number in a form of Python's, with the decimal sign of the language: "0.25"."""
    return decimal(f"{number:{form}}")


def listed(numbers: Iterable[str]) -> str:
    """Numbers one after another, with a semicolon between them where a comma is a decimal sign."""
    return (", " if decimal(".") == "." else "; ").join(numbers)


def radius_text(radius: float, digits: int = 3) -> str:
    """A radius floored, never rounded, at ``digits`` digits: what is printed is never more than what is certified."""
    return decimal(str(Decimal(radius).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR)))


def at_least_text(share: float) -> str:
    """A lower bound in percent, floored at one digit."""
    return decimal(f"{(Decimal(share) * 100).quantize(Decimal('0.1'), rounding=ROUND_FLOOR)} %")


def at_most_text(share: float) -> str:
    """An upper bound in percent, rounded up at one digit."""
    return decimal(f"{(Decimal(share) * 100).quantize(Decimal('0.1'), rounding=ROUND_CEILING)} %")


def confidence_text(failure_probability: float) -> str:
    """1 − α in percent, with all its digits: "99.9 %" for .001, and never 100 %."""
    percent = EXACT.subtract(Decimal(100), Decimal(str(failure_probability)).scaleb(2))
    return decimal(f"{EXACT.normalize(percent):f} %")


def count_text(count: int) -> str:
    """A whole number with thousands apart: "10,000", or as the language that is spoken writes it."""
    return f"{count:,}".replace(",", thousands())


def alpha_text(failure_probability: float) -> str:
    """A chance of a false certificate with all its digits: "0.001"."""
    return decimal(f"{Decimal(str(failure_probability)):f}")


def size_text(size: float, covered: bool = False) -> str:
    """A distance to about two digits: "0.27", "4.0", "55".

    What a certificate covers is floored as its radius is: nothing covered looks larger than what is certified.
    """
    digits = 2 if size < 1 else 1 if size < 10 else 0
    return radius_text(size, digits) if covered else number_text(size, f".{digits}f")


def duration_text(seconds: float) -> str:
    """Seconds in words of one glance: "1 s", "2 min 5 s"; never "0 s" while something is left."""
    whole = max(1, math.ceil(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return translate("{seconds} s", seconds=rest)
    if minutes < 10:
        return translate("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return translate("{minutes} min", minutes=minutes)


def megabytes_text(count: int) -> str:
    """Bytes in whole megabytes: "605 MB"."""
    return f"{count_text(round(count / 1e6))} MB"

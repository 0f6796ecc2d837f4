"""Exact fractions that are soon made: walks of one length have their places in common."""

from fractions import Fraction
from functools import lru_cache


@lru_cache(maxsize=1 << 15)
def fraction(numerator: int | Fraction, denominator: int | Fraction) -> Fraction:
    """The fraction, in lowest terms; made once, since finding those takes most of a key's time."""
    return Fraction(numerator, denominator)

"""Quantities as people read them: four significant digits, in the unit whose SI prefix suits the size.

What machines read (JSON, CSV, Parquet, SQL) has base units and all digits instead. The page's `short` gives the same
numbers.
"""

import math
from typing import Final, NamedTuple

ABSENT: Final = "-"
"""What stands for a number that is not there or not finite."""
_DIGITS: Final = 4
_PREFIXES: Final = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_TAKES: Final = {
    "s": ("n", "µ", "m", ""),
    "m": ("", "k"),
    "J": ("n", "µ", "m", "", "k", "M"),
    "W": ("n", "µ", "m", "", "k", "M"),
    "bit": ("", "k", "M", "G", "T"),
    "B": ("", "k", "M", "G", "T"),
    "Hz": ("", "k", "M", "G"),
}
"""Prefixes that a unit is shown with; any other unit stays as it is."""
_PARTS: Final = {prefix + base: (base, _PREFIXES[prefix]) for base, taken in _TAKES.items() for prefix in taken}
_ROUNDING: Final = 1e-12


class Scale(NamedTuple):
    """How values of a unit are shown: times a factor, in another unit."""

    factor: float
    unit: str


class Interval(NamedTuple):
    """A value with half its interval's length as text, with the same decimals in the same unit."""

    value: str
    half_width: str
    """`-` without an interval, 0 where all values are equal, as `<0.1` where it is less than the last digit shows."""
    unit: str


class Bounds(NamedTuple):
    """A value and the ends of its interval as text, with the same decimals in the same unit."""

    value: str
    low: str
    high: str
    unit: str


def digits(value: float | None, size: float | None = None) -> str:
    """Return a number with four significant digits, never as a power of ten where that can be avoided.

    >>> digits(25791.3), digits(0.27), digits(-1.0), digits(float("nan"))
    ('25,791', '0.2700', '-1.000', '-')

    Args:
        value: The number; `-` stands for None and what is not finite.
        size: Has the four digits instead, as of the largest number that is told with this one.
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    value += 0.0  # no minus before a zero
    size = abs(value if size is None else size)
    if size == 0.0:
        return "0"
    place = _place(size)
    if not -4 <= place < 15:
        return f"{value:.{_DIGITS - 1}e}"
    return f"{value:,.{max(0, _DIGITS - 1 - place)}f}"


def scaled(size: float, unit: str) -> Scale:
    """Return the scale on which a quantity of this size has one to three digits before the point, if its unit allows.

    Of `J/task` or `Mbit/s` the first part takes the prefix.

    >>> scaled(2.7e-7, "J/task").unit, scaled(1467.0, "ms").unit, scaled(12.0, "tasks/s").unit
    ('nJ/task', 's', 'tasks/s')
    """
    first, slash, per = unit.partition("/")
    if first not in _PARTS or not math.isfinite(size) or size == 0.0:
        return Scale(1.0, unit)
    base, given = _PARTS[first]
    rounded = float(f"{abs(size) * given:.{_DIGITS - 1}e}")  # so that 999.96 m is 1.000 km
    taken = _TAKES[base]
    prefix = next((one for one in reversed(taken) if _PREFIXES[one] <= rounded), taken[0])
    return Scale(given / _PREFIXES[prefix], f"{prefix}{base}{slash}{per}")


def quantity(value: float | None, unit: str = "") -> str:
    """Return a quantity with its unit.

    >>> quantity(2.7e-7, "J/task"), quantity(12.0), quantity(None, "s")
    ('270.0 nJ/task', '12.00', '-')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    scale = scaled(value, unit)
    return f"{digits(value * scale.factor)} {scale.unit}".rstrip()


def with_interval(value: float, half_width: float = math.nan, unit: str = "") -> Interval:
    """Return a value and the half width of its interval; the larger of both has four significant digits.

    A half width that is only the rounding of equal values counts as 0; one that is too small for the last digit is told
    as less than one of it. A count, whole and without an interval, has all its digits.

    >>> with_interval(0.09692, 0.00006, "s"), with_interval(100.0, 0.01, "s").half_width
    (Interval(value='96.92', half_width='0.06', unit='ms'), '<0.1')

    Args:
        value: The value; `-` stands for one that is not finite.
        half_width: Half the interval's length; NaN without an interval.
        unit: Unit of both.
    """
    if not math.isfinite(value):
        return Interval(ABSENT, ABSENT, unit)
    known = math.isfinite(half_width)
    if not known or half_width <= _ROUNDING * abs(value):
        half = "0" if known else ABSENT
        if value.is_integer() and unit.partition("/")[0] not in _PARTS and abs(value) < 1e15:
            return Interval(f"{value:,.0f}", half, unit)
        scale = scaled(value, unit)
        return Interval(digits(value * scale.factor), half, scale.unit)
    size = max(abs(value), half_width)
    scale = scaled(size, unit)
    told, half = (digits(number * scale.factor, size * scale.factor) for number in (value, half_width))
    if not half.strip("0."):
        half = f"<{half[:-1]}1"
    return Interval(told, half, scale.unit)


def with_bounds(value: float, low: float, high: float, unit: str = "") -> Bounds:
    """Return a value and the ends of its interval; the largest of them has four significant digits.

    >>> with_bounds(0.25, -0.5, 1.0, "s")
    Bounds(value='0.250', low='-0.500', high='1.000', unit='s')

    Args:
        value: The value; `-` stands for one that is not finite, here and at the ends.
        low: Lower end of its interval; NaN without one.
        high: Upper end.
        unit: Unit of all three.
    """
    size = max((abs(number) for number in (value, low, high) if math.isfinite(number)), default=math.nan)
    scale = scaled(size, unit)
    told = [digits(number * scale.factor, size * scale.factor) for number in (value, low, high)]
    return Bounds(told[0], told[1], told[2], scale.unit)


def _place(size: float) -> int:
    """Return the power of ten of the first digit, after rounding."""
    return int(f"{size:.{_DIGITS - 1}e}".partition("e")[2])

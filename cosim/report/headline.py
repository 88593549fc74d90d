"""The headline figures of a run, and figures as text with the digits that their intervals support."""

import math
from typing import Any, NamedTuple

from cosim.errors import InputError
from cosim.subjects import pieces


class Row(NamedTuple):
    """How terminal and page show a key figure."""

    key: str
    """Name of the key figure."""
    label: str
    factor: float
    """Factor from the unit of the figure to the unit that is shown."""
    unit: str


def headline() -> tuple[Row, ...]:
    """Return the rows of the headline figures, in the order of the table of subjects.

    Raises:
        InputError: a package gives something that is not a row, or a second row of a figure.
    """
    found: list[Row] = []
    for subject, rows in pieces("headline"):
        for given in rows:
            row = _row(given)
            if row is None:
                raise InputError(
                    f"headline of section {subject.name}: {given!r} is not (key, label, factor, unit); "
                    "correct the package"
                )
            if row.key in (one.key for one in found):
                raise InputError(
                    f"headline of section {subject.name}: the figure {row.key!r} has a row already; correct the package"
                )
            found.append(row)
    return tuple(found)


def _row(given: Any) -> Row | None:
    try:
        row = Row(*given)
    except TypeError:
        return None
    texts = all(isinstance(text, str) for text in (row.key, row.label, row.unit))
    return row if texts and row.label and isinstance(row.factor, int | float) else None


def rounded(value: float, half_width: float = math.nan) -> tuple[str, str]:
    """Return value and half width as text with the same decimals.

    The half width has one significant digit, two if it starts with 1; one that is only the rounding of equal values
    counts as 0. `-` stands for a number that is not finite. A value without an interval has four significant digits, an
    integer all of its digits.

    Example:
        >>> rounded(0.123456, 0.0071)
        ('0.123', '0.007')
        >>> rounded(1234.0)
        ('1,234', '-')
    """
    if not math.isfinite(value):
        return "-", "-"
    if half_width <= 1e-12 * abs(value):
        half_width = 0.0
    if not math.isfinite(half_width) or half_width <= 0.0:
        whole = value == int(value) and abs(value) < 1e15
        return f"{value:,.0f}" if whole else _plain(value, 4), "-" if not math.isfinite(half_width) else "0"
    place = math.floor(math.log10(half_width))
    first = half_width / 10.0**place
    decimals = max(0, (1 if first < 1.95 else 0) - place)
    return f"{value:,.{decimals}f}", f"{half_width:,.{decimals}f}"


def _plain(value: float, digits: int) -> str:
    """Return a value with so many significant digits, without a power of ten where that is possible."""
    if value == 0.0 or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"

"""The key figures that a person asks for first, and figures as text to the digits that their intervals support."""

import math
from typing import Any, NamedTuple

from cosim.errors import InputError
from cosim.subjects import pieces


class Row(NamedTuple):
    """How terminal and page show a figure."""

    key: str
    """Its name among the figures of merit."""
    label: str
    factor: float
    """To the unit in which it is shown."""
    unit: str


def headline() -> tuple[Row, ...]:
    """The rows that a person asks for first, in the order of the table of subjects.

    Raises:
        InputError: a package has a row that is none, or one of a figure that stands there already.
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
    """Value and half width with the same decimals: the half width has one significant digit, two if it starts with 1.

    A half width that is only the rounding of equal values counts as 0.
    `-` stands for what is not finite; a value without an interval has four significant digits, a whole one all of them.
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
    """So many significant digits, not as a power of ten where that can be avoided."""
    if value == 0.0 or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"

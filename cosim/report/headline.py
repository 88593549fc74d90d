"""The headline figures of a run."""

from typing import Any, NamedTuple

from cosim.errors import InputError
from cosim.subjects import pieces


class Row(NamedTuple):
    """How terminal and page show a key figure."""

    key: str
    """Name of the key figure."""
    label: str
    factor: float
    """Factor from the unit of the figure to the unit below, whose prefix then follows the size (`cosim.quantity`)."""
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

"""What docs/physics.md states of each oracle, and what a test has seen of it.

A test that is named in one of the page's tables calls `seen`: it fails where its error is larger than the page's.
"""

import logging
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import effort
import numpy as np
from numpy.typing import ArrayLike

PAGE: Final = Path(__file__).parents[2] / "docs" / "physics.md"
_HEAD: Final = "| Oracle | Where | Cases | Largest error |"
_SLACK: Final = {"": 1e-14}
"""Above what is stated: the last digits of another machine's logarithm; in units, of values up to 10,000."""
logger = logging.getLogger("physics")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of one of the page's tables."""

    where: str
    """Test as pytest names it, without parameters, or line of `cosim doctor --validate`."""
    error: float
    unit: str
    """"" for an error that is a share of the exact value."""

    @property
    def most(self) -> float:
        """Largest error that agrees with what is stated."""
        return self.error + _SLACK.get(self.unit, 1e-12)


@cache
def rows() -> list[Row]:
    """Return the lines of all tables of the page."""
    found, inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        inside = line == _HEAD or (inside and line.startswith("|"))
        if inside and line != _HEAD and not line.startswith("|---"):
            _, where, _, error = (cell.strip() for cell in line.strip("|").split("|"))
            number, _, unit = error.partition(" ")
            found.append(Row(where.strip("`"), float(number) / (100.0 if unit == "%" else 1.0), unit.strip("%")))
    return found


def named(part: str = "") -> set[str]:
    """Return everything that stands in code on the page, or in the part of it with this heading."""
    text = PAGE.read_text(encoding="utf-8")
    if part:
        text = text.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"`([^`\n]+)`", text))


def largest_error(ours: ArrayLike, exact: ArrayLike, unit: str = "") -> float:
    """Return the largest distance of numbers from the exact ones, in their unit, or as a share of the exact ones.

    Args:
        ours: What the model gives.
        exact: What the oracle gives.
        unit: "" for a share.
    """
    ours, exact = np.asarray(ours, float), np.asarray(exact, float)
    gap = np.abs(ours - exact)
    if not unit:
        gap = np.divide(gap, np.abs(exact), out=np.where(gap == 0.0, 0.0, np.inf), where=exact != 0.0)
    worst = float(np.max(gap, initial=0.0))
    assert not np.isnan(worst)
    return worst


def seen(ours: ArrayLike, exact: ArrayLike, unit: str = "") -> None:
    """Assert that the running test's numbers are no further from its oracle's than docs/physics.md states.

    With `--log-cli-level=info` pytest prints the error. Fresh seeds may see a larger one than the page, which tells of
    the fixed ones.

    Args:
        ours: What the model gives.
        exact: What the oracle gives.
        unit: As the page states the error: "" for a share of the exact value.
    """
    test = os.environ["PYTEST_CURRENT_TEST"].partition(" (")[0].partition("[")[0]
    error = largest_error(ours, exact, unit)
    logger.info("%s %.3g %s", test, error, unit)
    stated = next((row for row in rows() if row.where == test), None)
    assert stated is not None, f"docs/physics.md has no row for {test}"
    assert stated.unit == unit, f"docs/physics.md states the error of {test} in {stated.unit!r}, not in {unit!r}"
    if not effort.FIRST_SEED:
        assert error <= stated.most, f"{test} saw {error:.2g} {unit}, docs/physics.md states {stated.error:g}"

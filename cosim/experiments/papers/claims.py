"""The claims of a paper tested against what was measured, from the scores of all repetitions.

A claim holds if the 95 % interval of the quantity that it is about lies wholly on the claimed side; a claim on a whole
range holds if that is so at every point of it. It fails if an interval lies wholly on the other side, at one point of a
range or more. Otherwise our seeds do not decide it, and it is open.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from cosim.experiments.papers.lines import CsvTable, estimate, relative_difference
from cosim.experiments.statistics import paired_difference, smoothed
from cosim.kernel.rng import stream
from cosim.trace.metrics.statistics import Estimate
from cosim.types import FloatArray

HEAD: Final = (
    "figure", "claim", "setting", "measure", "value", "low", "high", "points_that_hold", "points_contrary", "points",
    "holds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimFinding:
    """An estimate, and at how many points of a range the claim, or its contrary, is shown."""

    found: Estimate
    holding: int
    contrary: int
    points: int

    @property
    def verdict(self) -> Literal["yes", "no", "open"]:
        """Whether the claim holds."""
        if self.holding == self.points:
            return "yes"
        return "no" if self.contrary else "open"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the paper beside our estimate."""

    figure: int
    said: str
    """The claim, in our words."""
    setting: str
    measure: str
    """What the estimate is of, with its unit."""
    finding: ClaimFinding

    def row(self) -> tuple[object, ...]:
        """Return the cells of a row under HEAD."""
        one, found = self.finding, self.finding.found
        told = (self.figure, self.said, self.setting, self.measure, found.value, found.low, found.high)
        return (*told, one.holding, one.contrary, one.points, one.verdict)


def lower(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Test that scores are lower than the reference at every point.

    Args:
        scores: (R, P) or (R,).
        reference: scores of the reference on the same seeds, of the same shape.

    Returns:
        The paired difference in % of the reference, over all points.
    """
    first, second = _table(scores), _table(reference)
    return _finding(relative_difference(first, second), _below, map(relative_difference, first.T, second.T))


def higher(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Test that scores, (R,), are higher than the reference: paired difference in % of the reference's size."""
    told = relative_difference(scores, reference)
    return _finding(told, _above, [told])


def sooner(episodes: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Test that episodes, (R,), are fewer than the reference: paired difference in episodes."""
    told = paired_difference(episodes, reference, stream(0, "bootstrap"))
    return _finding(told, _below, [told])


def rises(scores: FloatArray) -> ClaimFinding:
    """Test that scores, (R, P), rise from each point to the next: paired difference of the ends, in % of the first."""
    return _finding(
        relative_difference(scores[:, -1], scores[:, 0]), _above, map(relative_difference, scores.T[1:], scores.T)
    )


def falls(scores: FloatArray) -> ClaimFinding:
    """Test that scores, (R, P), fall from each point to the next: paired difference of the ends, in % of the first."""
    return _finding(
        relative_difference(scores[:, -1], scores[:, 0]), _below, map(relative_difference, scores.T[1:], scores.T)
    )


def widens(scores: FloatArray, reference: FloatArray) -> ClaimFinding:
    """Test that the gap reference - scores is wider at the last point than at the first: the growth in 1e-3 of cost."""
    gap = 1e3 * (reference - scores)
    told = estimate(gap[:, -1] - gap[:, 0])
    return _finding(told, _above, [told])


def converged(curve: FloatArray, window: int, tolerance: float = 0.05) -> int:
    """Return the first episode, from 1, from which on the moving mean stays within `tolerance` of the plateau.

    The moving mean is that of the last `window` episodes, the plateau that of the very last ones. A learner that does
    not learn is on its plateau from the first full window on: read it with the plateau's height.

    Args:
        curve: cost of each episode, (E,); E at least `window`.
        window: episodes of the moving mean.
        tolerance: deviation allowed, as a share of the plateau.

    Example:
        >>> converged(np.array([9.0, 5.0, 1.0, 1.0, 1.0]), window=2)
        4
    """
    means = smoothed(curve, window)[window - 1 :]
    outside = np.flatnonzero(np.abs(means - means[-1]) > tolerance * abs(means[-1]))
    return window + (int(outside[-1]) + 1 if len(outside) else 0)


def claims_table(found: Sequence[Claim]) -> CsvTable:
    """Return a table with a row for each claim."""
    return CsvTable(HEAD, [one.row() for one in found])


def _table(scores: FloatArray) -> FloatArray:
    return scores[:, None] if scores.ndim == 1 else scores


def _finding(found: Estimate, claimed: Callable[[Estimate], bool], points: Iterable[Estimate]) -> ClaimFinding:
    """Return the finding from the estimate, those at the points, and what is claimed of each: `_below` or `_above`."""
    other = _above if claimed is _below else _below
    told = list(points)
    return ClaimFinding(found, sum(map(claimed, told)), sum(map(other, told)), len(told))


def _below(one: Estimate) -> bool:
    return one.high < 0.0


def _above(one: Estimate) -> bool:
    return one.low > 0.0
